package aggregator

import (
	"slices"
	"strings"
)

// A SourceKind is something by which a client of a NAT gateway may be named.
type SourceKind string

// The kinds, as top.source_key names them.
const (
	SourceECSService    SourceKind = "ecs_service"
	SourceASGTag        SourceKind = "asg_tag"
	SourceASGTag2       SourceKind = "asg_tag_2"
	SourceInstanceTag   SourceKind = "instance_tag"
	SourceInstanceTag2  SourceKind = "instance_tag_2"
	SourceInterfaceTag  SourceKind = "interface_tag"
	SourceInterfaceTag2 SourceKind = "interface_tag_2"
	SourceNetwork       SourceKind = "network"
	SourceAddress       SourceKind = "address"
)

// SourceKinds returns all kinds.
func SourceKinds() []SourceKind {
	return []SourceKind{
		SourceECSService, SourceASGTag, SourceASGTag2, SourceInstanceTag, SourceInstanceTag2, SourceInterfaceTag, SourceInterfaceTag2, SourceNetwork, SourceAddress,
	}
}

// DefaultSourceKey returns the documented order.
func DefaultSourceKey() []SourceKind {
	return []SourceKind{SourceECSService, SourceASGTag, SourceInstanceTag, SourceNetwork, SourceAddress}
}

// sourceKey names a client by the first kind of an order that it has, and by its address if it has none. A name has its kind in front, "asg:web", and an address is
// bare, so that no tag can be taken for another kind's, for somebody's address, or for the rest that is called "other": no address begins with such a word, since
// each has a letter that is no hexadecimal digit. Network and address are labels already; network is "" outside of all networks.
func sourceKey(order []SourceKind, w Workload, network, address string) string {
	for _, kind := range order {
		var name string
		switch kind {
		case SourceECSService:
			name = w.ecsKey()
		case SourceASGTag:
			name = prefixed("asg:", w.ASGTag)
		case SourceASGTag2:
			name = prefixed("asg2:", w.ASGTag2)
		case SourceInstanceTag:
			name = prefixed("instance:", w.InstanceTag)
		case SourceInstanceTag2:
			name = prefixed("instance2:", w.InstanceTag2)
		case SourceInterfaceTag:
			name = prefixed("interface:", w.InterfaceTag)
		case SourceInterfaceTag2:
			name = prefixed("interface2:", w.InterfaceTag2)
		case SourceNetwork:
			name = prefixed("network:", network)
		case SourceAddress:
			name = address
		}
		if name != "" {
			return name
		}
	}
	return address
}

func prefixed(prefix, name string) string {
	if name == "" {
		return ""
	}
	return prefix + name
}

// ecsKey names an ECS service by its cluster, without which it is not unique, and by its account where that is not the gateway's. The names are of letters, digits,
// hyphens and underscores, so a slash in one is not AWS's.
func (w *Workload) ecsKey() string {
	if w.ECSCluster == "" || w.ECSService == "" {
		return ""
	}
	parts := []string{w.ECSCluster, w.ECSService}
	if w.AccountID != "" {
		parts = slices.Insert(parts, 0, w.AccountID)
	}
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], "/", "_")
	}
	return "ecs:" + strings.Join(parts, "/")
}
