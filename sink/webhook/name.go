package webhook

// Name is how people and journals name the receiver at a URL, without its secrets: the [Sink.String] of its sink.
func Name(rawURL string) (string, error) {
	u, err := parseURL(rawURL)
	if err != nil {
		return "", err
	}
	return display(u), nil
}
