package config

import (
	"crypto/x509"
	"fmt"
)

// CAFile is the path of a PEM file with certificate authorities, or "".
type CAFile string

// maxCAFile bounds a CA file, in bytes: the bundle of a whole system has a quarter of it.
const maxCAFile = 1 << 20

// Pool is the authorities in the file, or nil, which stands for the system's, where none is set.
func (f CAFile) Pool() (*x509.CertPool, error) {
	if f == "" {
		return nil, nil
	}
	pem, err := readSmall(string(f), maxCAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("file %s has no certificate in it; want PEM, with BEGIN CERTIFICATE", string(f))
	}
	return pool, nil
}

func (f CAFile) check() error {
	_, err := f.Pool()
	return err
}
