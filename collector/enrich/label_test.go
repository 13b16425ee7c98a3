package enrich

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestNameLabel(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "",
		"Cloudflare, Inc.":         "Cloudflare, Inc.",
		"Télécom \"X\" \\ {a=b}":   "Télécom \"X\" \\ {a=b}", // The exposition format escapes these itself.
		"  A\tB\r\nC  ":            "A B  C",
		"A\x00B\x1b[31mC":          "A_B_[31mC",
		"A\xff\xfeB":               "A_B",
		"A\u202eB\u2028C\ufeffD":   "A_B C_D",
		"\ufffd":                   "\ufffd",
		strings.Repeat("a", 129):   strings.Repeat("a", 128),
		strings.Repeat("é", 100):   strings.Repeat("é", 63), // A character that may be cut goes whole.
		strings.Repeat("\x80", 99): "_",
	} {
		if got := nameLabel(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func FuzzNameLabel(f *testing.F) {
	for _, seed := range []string{"Cloudflare, Inc.", "A\xff\x00", strings.Repeat("日本", 60), strings.Repeat("\xf0\x9f", 100), "\u202e\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkLabel(t, nameLabel(text))
		if again := nameLabel(nameLabel(text)); len(text) < maxNameBytes/4 && again != nameLabel(text) {
			t.Errorf("%q becomes %q, and that %q", text, nameLabel(text), again)
		}
		for _, c := range idLabel(text) {
			if c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("-_.", c) {
				t.Errorf("%q becomes the id %q", text, idLabel(text))
			}
		}
		if c := countryLabel(text); c != "" && (len(c) != 2 || strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
			t.Errorf("%q becomes the country %q", text, c)
		}
		if a := parseASN(text); a != "" && parseASN(a) != a {
			t.Errorf("%q becomes %q, which becomes %q", text, a, parseASN(a))
		}
	})
}

// checkLabel holds what Info promises of its fields.
func checkLabel(t *testing.T, label string) {
	t.Helper()
	if len(label) > maxNameBytes || !utf8.ValidString(label) {
		t.Errorf("label %q is too long or not UTF-8", label)
	}
	for _, c := range label {
		if c != ' ' && !unicode.IsPrint(c) {
			t.Errorf("label %q holds %U", label, c)
		}
	}
}

func checkInfo(t *testing.T, info Info) {
	t.Helper()
	for _, label := range []string{info.ASN, info.ASName, info.Country, info.AWSService, info.AWSRegion, info.Network} {
		checkLabel(t, label)
	}
}

func TestParseASN(t *testing.T) {
	for text, want := range map[string]string{
		"AS15169": "AS15169", "as1": "AS1", "15169": "AS15169", "AS4294967295": "AS4294967295", "AS007": "AS7",
		"": "", "AS": "", "AS0": "", "AS4294967296": "", "AS-1": "", "AS+1": "", "ASX": "", "AS1 ": "", "AS00000000000001": "",
	} {
		if got := parseASN(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestCountryLabel(t *testing.T) {
	for text, want := range map[string]string{"FR": "FR", "fr": "FR", "": "", "F": "", "FRA": "", "France": "", "F1": "", "ZZ": "", "é": "", "ı": "", "ſ": ""} {
		if got := countryLabel(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
