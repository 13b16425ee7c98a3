package enrich

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxNameBytes = 128 // Of an organisation or a network.
	maxIDBytes   = 64  // Of an AWS service or region.
)

// nameLabel makes free text safe as a label value: valid UTF-8, printable, on one line, at most maxNameBytes long. The result shares no memory with the
// text, which may be a small part of something large.
func nameLabel(text string) string {
	// Cut first, so that a hostile megabyte costs nothing; spaces and broken characters that go leave room in a name that nobody writes.
	if len(text) > maxNameBytes {
		text = text[:maxNameBytes]
		for len(text) > 0 && !utf8.RuneStart(text[len(text)-1]) {
			text = text[:len(text)-1]
		}
		if r, size := utf8.DecodeLastRuneInString(text); r == utf8.RuneError && size == 1 {
			text = text[:len(text)-1]
		}
	}
	var b strings.Builder
	for _, c := range strings.ToValidUTF8(text, "_") {
		switch {
		case c == ' ' || unicode.IsSpace(c):
			c = ' '
		case !unicode.IsPrint(c):
			c = '_'
		}
		if b.Len()+utf8.RuneLen(c) > maxNameBytes {
			break
		}
		b.WriteRune(c)
	}
	return strings.Clone(strings.TrimSpace(b.String()))
}

// idLabel makes the name of an AWS service or region safe as a label value. The set grows, so any name is kept; what cannot be part of one is replaced.
func idLabel(text string) string {
	text = text[:min(len(text), maxIDBytes)]
	return strings.Clone(strings.Map(func(c rune) rune {
		if c < utf8.RuneSelf && isLetter(byte(c)) || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' {
			return c
		}
		return '_'
	}, strings.ToValidUTF8(text, "_")))
}

// unknownCountry is what some databases write in place of nothing.
const unknownCountry = "ZZ"

// countryLabel returns a two-letter country code in upper case, or nothing if it is none.
func countryLabel(text string) string {
	if len(text) != 2 || !isLetter(text[0]) || !isLetter(text[1]) || text == unknownCountry {
		return ""
	}
	return string([]byte{text[0] &^ 0x20, text[1] &^ 0x20}) // Upper and lower case differ in that bit.
}

func isLetter(c byte) bool { return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' }

// asnLabel writes the number of an autonomous system as IPinfo does; 0 is reserved and means none.
func asnLabel(number uint64) string {
	if number == 0 || number > 1<<32-1 {
		return ""
	}
	return "AS" + strconv.FormatUint(number, 10)
}

// parseASN reads a number with or without AS in front.
func parseASN(text string) string {
	if len(text) > 2 && strings.EqualFold(text[:2], "AS") {
		text = text[2:]
	}
	if len(text) > 10 {
		return ""
	}
	number, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return ""
	}
	return asnLabel(number)
}
