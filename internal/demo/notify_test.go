package demo

import (
	"net/url"
	"testing"
)

func TestEncodeKey(t *testing.T) {
	for key, want := range map[string]string{
		"AWSLogs/123456789012/a_b.log.gz": "AWSLogs/123456789012/a_b.log.gz",
		"AWSLogs/aws-account-id=1/x.gz":   "AWSLogs/aws-account-id%3D1/x.gz",
		"red flower+1.jpg":                "red+flower%2B1.jpg",
	} {
		got := encodeKey(key)
		if got != want {
			t.Errorf("encodeKey(%q) is %q, want %q", key, got, want)
		}
		if back, err := url.QueryUnescape(got); err != nil || back != key {
			t.Errorf("%q decodes to %q, %v", got, back, err)
		}
	}
}
