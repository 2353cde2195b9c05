package config

import (
	"crypto/x509"
	"fmt"

	"github.com/houndtrail/houndtrail/exporter/transport"
)

// CAFile is the path of a PEM file with certificate authorities, or "".
type CAFile string

// maxCAFile bounds a CA file, in bytes: the bundle of a whole system has a quarter of it.
const maxCAFile = 1 << 20

// Pool has the system's authorities and the file's. If no file is set, it is nil, which stands for the system's alone.
func (f CAFile) Pool() (*x509.CertPool, error) {
	if f == "" {
		return nil, nil
	}
	pem, err := readSmall(string(f), maxCAFile)
	if err != nil {
		return nil, err
	}
	pool, err := transport.Authorities(pem)
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", string(f), err)
	}
	return pool, nil
}

func (f CAFile) check() error {
	_, err := f.Pool()
	return err
}
