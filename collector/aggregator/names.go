package aggregator

import "github.com/vpcflow/vpcflow_exporter/collector/flowlog"

// The names of an interface's workload (flowlog.Name) may change while it lives, and AWS says that tags may be missing or wrong for an hour. The newest one
// counts, of two in one window the greater one, so that it does not depend on the order of files.

// fileNames are the names that one file gives to an interface.
type fileNames [flowlog.NumNames]fileName

type fileName struct {
	text   uint32 // text is the number of a fileText, 0 for none.
	window uint32 // window is the newest one in which rows have said so, 0 if they have no end.
}

// fileTexts are the texts of one file, numbered from 1. Interfaces share them, since most of them are not unique.
type fileTexts struct {
	texts  []fileText
	byText map[string]uint32
}

type fileText struct {
	raw, label string
}

// maxFileTexts bounds the texts of one file. A name beyond it is as good as none.
const maxFileTexts = 20_000

func (t *fileTexts) reset() {
	clear(t.texts)
	t.texts = t.texts[:0]
	clear(t.byText)
}

// number returns the number of a text, 0 beyond the limit.
func (t *fileTexts) number(raw []byte) uint32 {
	if n, ok := t.byText[string(raw)]; ok {
		return n
	}
	if len(t.texts) >= maxFileTexts {
		return 0
	}
	if t.byText == nil {
		t.byText = make(map[string]uint32)
	}
	text := string(raw)
	t.texts = append(t.texts, fileText{text, textLabel(text)})
	n := uint32(len(t.texts))
	t.byText[text] = n
	return n
}

// fill takes over what a record says of its interface.
func (n *fileNames) fill(t *fileTexts, r *flowlog.Record) {
	var window uint32
	if r.End > 0 {
		window = uint32(r.End / windowSeconds)
	}
	for i := range r.Names {
		raw := r.Names[i]
		if len(raw) == 0 {
			continue
		}
		raw = clipText(raw)
		name := &n[i]
		switch {
		case name.text == 0:
			*name = fileName{t.number(raw), window}
		case window < name.window:
		case string(raw) == t.texts[name.text-1].raw:
			name.window = window
		default:
			text := t.number(raw)
			if text != 0 && (window > name.window || t.texts[text-1].label > t.texts[name.text-1].label) {
				*name = fileName{text, window}
			}
		}
	}
}

// interfaceNames are the names of an interface's workload, as label values with the windows in which rows have said so last.
type interfaceNames [flowlog.NumNames]datedName

type datedName struct {
	label  string
	window int64
}

// takeNames takes over the names that a file gives to the interface.
func (n *netInterface) takeNames(in *deltaInterface, t *fileTexts) {
	for i, name := range in.names {
		if name.text == 0 || n.nameless() {
			continue
		}
		if n.names == nil {
			n.names = new(interfaceNames)
		}
		window := in.last / windowSeconds
		if name.window > 0 {
			window = min(window, int64(name.window))
		}
		n.names[i].take(t.texts[name.text-1].label, window)
	}
}

func (d *datedName) take(label string, window int64) {
	switch {
	case d.label == label:
		d.window = max(d.window, window)
	case d.label == "", window > d.window, window == d.window && label > d.label:
		*d = datedName{label, window}
	}
}

// called returns a name as a label value, "" where there is none.
func (n *netInterface) called(name flowlog.Name) string {
	if n.names == nil {
		return ""
	}
	return n.names[name].label
}

// encodeNames are the labels. Their windows are apart, because each file moves them.
func (n *netInterface) encodeNames(e *encoder) {
	var names interfaceNames
	if n.names != nil {
		names = *n.names
	}
	var known [flowlog.NumNames]bool
	for i, name := range names {
		known[i] = name.label != ""
	}
	e.flags(known[:]...)
	for i, name := range names {
		if known[i] {
			e.text(name.label)
		}
	}
}

func (n *netInterface) restoreNames(d *decoder) {
	for i := range n.restoredNames(d) {
		label := d.text()
		if d.err == nil && !isTextLabel(label) {
			d.failf("name %q is no label", label)
		}
		n.names[i].label = label
	}
}

// encodeNameWindows counts the windows back from the interface's last record.
func (n *netInterface) encodeNameWindows(e *encoder) {
	var names interfaceNames
	if n.names != nil {
		names = *n.names
	}
	var known [flowlog.NumNames]bool
	for i, name := range names {
		known[i] = name.window != 0
	}
	e.flags(known[:]...)
	for i, name := range names {
		if known[i] {
			e.int(n.life.last/windowSeconds - name.window)
		}
	}
}

func (n *netInterface) restoreNameWindows(d *decoder) {
	for i := range n.restoredNames(d) {
		window := n.life.last/windowSeconds - d.int()
		if d.err == nil && window == 0 {
			d.failf("name without a window")
		}
		n.names[i].window = window
	}
}

// restoredNames takes the flags and yields the names that they stand for.
func (n *netInterface) restoredNames(d *decoder) func(func(int) bool) {
	var known [flowlog.NumNames]bool
	var flags [flowlog.NumNames]*bool
	for i := range known {
		flags[i] = &known[i]
	}
	d.flags(flags[:]...)
	return func(yield func(int) bool) {
		for i, known := range known {
			if !known {
				continue
			}
			if n.names == nil {
				n.names = new(interfaceNames)
			}
			if !yield(i) {
				return
			}
		}
	}
}
