package aggregator

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

func TestSourceKey(t *testing.T) {
	all := Workload{
		ECSCluster: "main", ECSService: "checkout", ASGTag: "web", ASGTag2: "b", InstanceTag: "frontend", InstanceTag2: "d", InterfaceTag: "eth", InterfaceTag2: "f",
	}
	for _, test := range []struct {
		order    string
		workload Workload
		network  string
		want     string
	}{
		{"ecs_service asg_tag instance_tag network address", all, "office", "ecs:main/checkout"},
		{"ecs_service asg_tag instance_tag network address", Workload{InstanceTag: "web frontend", ASGTag: "web"}, "office", "asg:web"},
		{"ecs_service asg_tag instance_tag network address", Workload{InstanceTag: "web frontend"}, "office", "instance:web frontend"},
		{"ecs_service asg_tag instance_tag network address", Workload{InterfaceTag: "eth"}, "office", "network:office"},
		{"ecs_service asg_tag instance_tag network address", Workload{}, "", "10.0.1.5"},
		{"asg_tag_2", all, "", "asg2:b"},
		{"instance_tag_2", all, "", "instance2:d"},
		{"interface_tag", all, "", "interface:eth"},
		{"interface_tag_2", all, "", "interface2:f"},
		{"address network", all, "office", "10.0.1.5"},
		{"network", all, "", "10.0.1.5"},
		{"", all, "office", "10.0.1.5"},
		{"unheard_of asg_tag", all, "", "asg:web"},
		// A service is not unique without its cluster, nor a cluster without its account.
		{"ecs_service", Workload{ECSService: "checkout"}, "", "10.0.1.5"},
		{"ecs_service", Workload{ECSCluster: "main"}, "", "10.0.1.5"},
		{"ecs_service", Workload{ECSCluster: "main", ECSService: "checkout", AccountID: "210987654321"}, "", "ecs:210987654321/main/checkout"},
		{"ecs_service", Workload{ECSCluster: "210987654321/main", ECSService: "checkout"}, "", "ecs:210987654321_main/checkout"},
		// Tags and networks may be called anything.
		{"asg_tag", Workload{ASGTag: "10.0.1.6"}, "", "asg:10.0.1.6"},
		{"asg_tag", Workload{ASGTag: "other"}, "", "asg:other"},
		{"instance_tag", Workload{InstanceTag: "asg:web"}, "", "instance:asg:web"},
		{"network", Workload{}, "other", "network:other"},
	} {
		var order []SourceKind
		for kind := range strings.FieldsSeq(test.order) {
			order = append(order, SourceKind(kind))
		}
		if got := sourceKey(order, test.workload, test.network, "10.0.1.5"); got != test.want {
			t.Errorf("%q of %+v in network %q: got %q, want %q", test.order, test.workload, test.network, got, test.want)
		}
	}
	for _, kind := range DefaultSourceKey() {
		if !slices.Contains(SourceKinds(), kind) {
			t.Errorf("%s is no kind", kind)
		}
	}
}

// TestSourceKindsAreDistinct gives every kind the same name: each key is another one, and none is an address.
func TestSourceKindsAreDistinct(t *testing.T) {
	for _, name := range []string{"web", "10.0.1.5", "fd00::1", "other", "asg:web", "a/b"} {
		w := Workload{
			ECSCluster: name, ECSService: name, ASGTag: name, ASGTag2: name, InstanceTag: name, InstanceTag2: name, InterfaceTag: name, InterfaceTag2: name,
		}
		keys := map[string]SourceKind{otherLabel: "", unknownLabel: "", name: ""}
		for _, kind := range SourceKinds() {
			if kind == SourceAddress {
				continue
			}
			key := sourceKey([]SourceKind{kind}, w, name, "10.0.1.5")
			if other, taken := keys[key]; taken {
				t.Errorf("%q is a key of %q and of %q", key, kind, other)
			}
			if _, address := flowlog.ParseAddr(key); address {
				t.Errorf("the key %q of %q is an address", key, kind)
			}
			keys[key] = kind
		}
	}
}

func TestTextLabel(t *testing.T) {
	long := strings.Repeat("a", 10<<10)
	for raw, want := range map[string]string{
		"web":                          "web",
		"web%20frontend":               "web frontend",
		"caf%C3%A9%2fbar":              "café/bar",
		"100%":                         "100%",
		"%zz%4":                        "%zz%4",
		"%25zz":                        "%zz",
		"%2520":                        "%20",
		"%":                            "%",
		"%00%0a%1B[31m%7f":             "___[31m_",
		"a\x01b\tc":                    "a_b_c",
		"%ff%fe":                       "_",
		"\x80":                         "_",
		"%E2%80%AEgnp":                 "_gnp", // A mark that turns the direction of text around.
		"%C2%85":                       "_",
		`"quoted\"%0a`:                 `"quoted\"_`,
		strings.Repeat("a", 128):       strings.Repeat("a", 128),
		strings.Repeat("a", 129):       strings.Repeat("a", 119) + "~",
		"a" + strings.Repeat("é", 100): "a" + strings.Repeat("é", 59) + "~",
		long:                           strings.Repeat("a", 119) + "~",
	} {
		got := textLabel(string(clipText([]byte(raw))))
		if strings.HasSuffix(want, "~") && len(got) > len(want) {
			want += got[len(want):]
		}
		if got != want || !isTextLabel(got) {
			t.Errorf("got %q of %.200q, want %q", got, raw, want)
		}
	}
	if a, b := textLabel(long[:200]+"a"), textLabel(long[:200]+"b"); a == b || len(a) != maxTextBytes {
		t.Errorf("got %q and %q for two texts", a, b)
	}
	for _, text := range []string{"", "a\n", "\xff", strings.Repeat("a", 129)} {
		if isTextLabel(text) {
			t.Errorf("%q is a label", text)
		}
	}
}

// FuzzTextLabel makes labels of foreign bytes.
func FuzzTextLabel(f *testing.F) {
	f.Add([]byte("web%20frontend"))
	f.Add([]byte("%00%ff%"))
	f.Add([]byte(strings.Repeat("%C3%A9", 200)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) == 0 {
			return
		}
		label := textLabel(string(clipText(raw)))
		if !isTextLabel(label) || !utf8.ValidString(label) || strings.ContainsFunc(label, unicode.IsControl) {
			t.Errorf("got %q of %q", label, raw)
		}
	})
}
