package config

import (
	"crypto/x509"
	"fmt"

	"github.com/houndtrail/houndtrail/exporter/transport"
)

// CAFile is the path of a PEM file with certificate authorities, or "".
type CAFile string

// PEMFile is the path of a PEM file with the client's certificate or its key, or "".
type PEMFile string

// maxPEMFile bounds a PEM file, in bytes: the bundle of a whole system has a quarter of it.
const maxPEMFile = 1 << 20

// pemText is the content of a file; "" if none is set.
func pemText(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := readSmall(path, maxPEMFile)
	return string(text), err
}

func (f PEMFile) check() error {
	_, err := pemText(string(f))
	return err
}

// Pool has the system's authorities and the file's. If no file is set, it is nil, which stands for the system's alone.
func (f CAFile) Pool() (*x509.CertPool, error) {
	pem, err := pemText(string(f))
	if pem == "" {
		return nil, err
	}
	pool, err := transport.Authorities([]byte(pem))
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", string(f), err)
	}
	return pool, nil
}

func (f CAFile) check() error {
	_, err := f.Pool()
	return err
}
