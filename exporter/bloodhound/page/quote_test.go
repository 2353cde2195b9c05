package page

import "testing"

func TestClip(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", ""}, {"abc", "abc"}, {"abcd", "abc..."}, {"abé", "ab..."}, {"éé", "é..."}, {"\x80\x80\x80\x80", "..."},
	} {
		if got := clip(test.text, 3); got != test.want {
			t.Errorf("clip(%q): %q, want %q", test.text, got, test.want)
		}
	}
}
