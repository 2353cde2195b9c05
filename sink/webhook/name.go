package webhook

// Name is the name of the receiver at a URL for people and journals, without its secrets: the [Sink.String] of its sink.
func Name(rawURL string) (string, error) {
	u, err := parseURL(rawURL)
	if err != nil {
		return "", err
	}
	return display(u), nil
}
