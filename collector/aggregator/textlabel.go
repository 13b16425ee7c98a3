package aggregator

import (
	"fmt"
	"hash/fnv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// The bound on label values of free text.
	maxTextBytes = 128
	// So many bytes of a text in a log are looked at: a tag has up to 256 characters, of which all but a few are letters and digits.
	maxRawTextBytes = 1024
)

// clipText bounds a text from a log.
func clipText(b []byte) []byte { return b[:min(len(b), maxRawTextBytes)] }

// textLabel makes free text from a log, a tag's value with its percent-encoding, safe as a label value: valid UTF-8 of characters that can be printed and
// spaces, up to maxTextBytes. What cannot be printed becomes "_". A text that is cut ends in a hash of the whole, so that two long ones that begin alike stay two.
func textLabel(raw string) string {
	text := strings.Map(printable, strings.ToValidUTF8(percentDecode(raw), "_"))
	if len(text) <= maxTextBytes {
		return text
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(raw)) // A hash takes all bytes.
	end := fmt.Sprintf("~%08x", h.Sum32())
	cut := maxTextBytes - len(end)
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + end
}

func printable(c rune) rune {
	if unicode.IsPrint(c) {
		return c
	}
	return '_'
}

// isTextLabel says whether a text may have come from textLabel.
func isTextLabel(text string) bool {
	return text != "" && len(text) <= maxTextBytes && utf8.ValidString(text) && strings.Map(printable, text) == text
}

// percentDecode replaces the escapes. What only looks like one stays as it is.
func percentDecode(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			high, low := hexDigit(text[i+1]), hexDigit(text[i+2])
			if high < 16 && low < 16 {
				b = append(b, high<<4|low)
				i += 2
				continue
			}
		}
		b = append(b, text[i])
	}
	return string(b)
}

// hexDigit returns the value of a digit, 16 for what is none.
func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	default:
		return 16
	}
}
