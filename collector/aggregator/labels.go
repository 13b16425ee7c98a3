package aggregator

import "strings"

// otherLabel is the label value of all that has no series of its own.
const otherLabel = "other"

// unknownLabel is the label value of what the logs do not tell.
const unknownLabel = "unknown"

// noneLabel is the AWS service of a remote that belongs to none.
const noneLabel = "none"

const maxLabelBytes = 64

// idLabel makes an id from a log safe as a label value: AWS's ids are short and of few characters, and whatever is not is summed up as one.
func idLabel(id string) string {
	if id == "" {
		return unknownLabel
	}
	if len(id) > maxLabelBytes || strings.ContainsFunc(id, func(c rune) bool { return !isIDChar(c) }) {
		return otherLabel
	}
	return id
}

// infoLabel is idLabel for info metrics, where what is missing is an empty label, that is, none.
func infoLabel(id string) string {
	if id == "" {
		return ""
	}
	return idLabel(id)
}

func isIDChar(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

// accountLabel accepts AWS's twelve digits only.
func accountLabel(id string) (string, bool) {
	if len(id) != 12 || strings.ContainsFunc(id, func(c rune) bool { return c < '0' || c > '9' }) {
		return unknownLabel, false
	}
	return id, true
}

// serviceLabel makes an AWS service name safe as a label value. The set grows, so any name is kept; what cannot be one is replaced, then cut.
func serviceLabel(name string) string {
	name = name[:min(len(name), maxLabelBytes)]
	return strings.Map(func(c rune) rune {
		if isIDChar(c) {
			return c
		}
		return '_'
	}, strings.ToValidUTF8(name, "_"))
}
