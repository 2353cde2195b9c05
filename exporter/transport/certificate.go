package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
)

// Authorities returns the system's certificate authorities and those in the PEM text.
func Authorities(pem []byte) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a bare container image has none
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("it holds no PEM certificate (BEGIN CERTIFICATE)")
	}
	return pool, nil
}

// IsCertificate tells whether this side refused the server's certificate. Another try does not change that.
func IsCertificate(err error) bool {
	return is[*tls.CertificateVerificationError](err) || is[x509.UnknownAuthorityError](err) ||
		is[x509.CertificateInvalidError](err) || is[x509.HostnameError](err)
}

// CertificateAdvice tells the user what to do if [IsCertificate] is true. setting is the setting for a CA file.
func CertificateAdvice(setting string) string {
	return "if a private authority signed the server's certificate, name its PEM file in " + setting +
		"; if the name or the dates are wrong, the server needs another certificate, or this machine's clock is off"
}

// IsCertificateRefused tells whether the server refused this side's certificate, or refused to go on without one. The texts are
// those of crypto/tls for the alerts 40 to 49 and 116 of RFC 8446, 6.2, which speak of certificates.
func IsCertificateRefused(err error) bool {
	told, ok := errors.AsType[*net.OpError](err)
	if !ok || told.Op != "remote error" {
		return false
	}
	text := told.Err.Error()
	return strings.Contains(text, "certificate") || strings.HasSuffix(text, "access denied")
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
