package flowgen

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// needed are the fields without which nothing can be counted.
var needed = []string{"srcaddr", "dstaddr", "bytes", "interface-id", "start", "end", "account-id"}

// RecommendedFields returns the format that the documentation recommends: all that makes the exporter's answers complete.
func RecommendedFields() []string {
	return strings.Fields(`version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status
		pkt-srcaddr pkt-dstaddr region az-id flow-direction traffic-path pkt-src-aws-service pkt-dst-aws-service resource-id interface-type
		next-hop-az-id vpc-id subnet-id instance-id ecs-cluster-arn ecs-cluster-name ecs-service-name ecs-task-definition-arn ecs-task-arn
		ecs-task-id`)
}

// AnalyzerFields returns the 18 fields that the tool vpc-flowlogs-egress-analyzer wants, without any id but the interface's.
func AnalyzerFields() []string {
	return strings.Fields(`version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status
		pkt-srcaddr pkt-dstaddr pkt-dst-aws-service flow-direction traffic-path`)
}

// randomFormat returns a format that suits the options: one that people have, or what is needed and a random subset of the rest, in random order.
func randomFormat(rng *rand.Rand, opt Options) Format {
	if opt.Format != nil {
		return NewFormat(opt.Format...)
	}
	if opt.Everyday {
		return everydayFormat(rng, opt)
	}
	known := [][]string{AnalyzerFields(), FieldNames(3), FieldNames(9), FieldNames(11), RecommendedFields()}
	must, never := slices.Clone(needed), []string(nil)
	switch opt.Recognition {
	case Plain:
		known = [][]string{DefaultFields()}
		never = []string{"pkt-srcaddr", "pkt-dstaddr", "pkt-src-aws-service", "pkt-dst-aws-service"}
	case Typed:
		known = known[3:]
		must = append(must, "pkt-srcaddr", "pkt-dstaddr", "interface-type")
	case Learned:
		known = known[:3]
		must = append(must, "pkt-srcaddr", "pkt-dstaddr")
		never = []string{"interface-type"}
	default:
		must = append(must, "pkt-srcaddr", "pkt-dstaddr")
	}
	if rng.IntN(3) == 0 {
		return NewFormat(known[rng.IntN(len(known))]...)
	}
	if opt.Recognition != Plain && rng.IntN(3) > 0 {
		must = append(must, "resource-id")
	}
	return NewFormat(pickFields(rng, must, never)...)
}

// regionalFormat returns the format of a regional gateway's own flow log beside one of its VPC: the same, or one without interface-id, which its
// rows do not need. Both have vpc-id or none has, since a reader takes the gateway's clients for the VPC's or for the region's by it.
func (n *randomNetwork) regionalFormat(f Format) Format {
	if n.opt.Everyday || n.opt.Format != nil || n.rng.IntN(3) > 0 {
		return f
	}
	must := append(slices.DeleteFunc(slices.Clone(needed), func(name string) bool { return name == "interface-id" }), "pkt-srcaddr", "pkt-dstaddr", "resource-id")
	never := []string{"interface-id"}
	for _, name := range []string{"vpc-id", "interface-type"} {
		if f.Has(name) {
			must = append(must, name)
		} else {
			never = append(never, name)
		}
	}
	return NewFormat(pickFields(n.rng, must, never)...)
}

// everydayFormat returns a format for the everyday topology alone.
func everydayFormat(rng *rand.Rand, opt Options) Format {
	if (opt.Recognition == Typed || opt.Recognition == Configured) && rng.IntN(4) == 0 {
		return NewFormat(RecommendedFields()...)
	}
	must := slices.Clone(needed)
	var never []string
	switch opt.Recognition {
	case Plain:
		never = []string{"pkt-srcaddr", "pkt-dstaddr", "pkt-src-aws-service", "pkt-dst-aws-service"}
		if rng.IntN(2) == 0 {
			return NewFormat(DefaultFields()...)
		}
	case Typed:
		must = append(must, "pkt-srcaddr", "pkt-dstaddr", "resource-id", "interface-type")
	case Learned:
		must = append(must, "pkt-srcaddr", "pkt-dstaddr", "resource-id")
		never = []string{"interface-type"}
	default:
		must = append(must, "pkt-srcaddr", "pkt-dstaddr", "resource-id")
	}
	names := pickFields(rng, must, never)
	if opt.Recognition == Learned && slices.Contains(names, "traffic-path") && !slices.Contains(names, "instance-id") {
		// A leg B that says traffic-path 8 looks like an instance's own traffic then, until its gateway is known.
		names = append(names, "instance-id")
	}
	return NewFormat(names...)
}

// pickFields returns must, and of the other fields but never as many as chance wants. The two service fields come together.
func pickFields(rng *rand.Rand, must, never []string) []string {
	names := slices.Clone(must)
	density := [...]int{0, 1, 2, 3, 4}[rng.IntN(5)]
	for _, name := range FieldNames(11) {
		if slices.Contains(must, name) || slices.Contains(never, name) || name == "pkt-src-aws-service" || rng.IntN(4) >= density {
			continue
		}
		names = append(names, name)
		if name == "pkt-dst-aws-service" {
			names = append(names, "pkt-src-aws-service")
		}
	}
	if rng.IntN(3) == 0 {
		names = append(names, "future-field")
	}
	rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names
}
