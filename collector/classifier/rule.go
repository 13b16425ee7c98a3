package classifier

// A Rule is why a row has its class.
type Rule uint8

// The rules, explained by String.
const (
	RuleNone Rule = iota
	RuleLegA
	RuleLegB
	RuleLegC
	RuleLegD
	RuleLegE
	RuleLegF
	RulePublicLeg
	RuleClientsCounted
	RuleRelayed
	RuleSender
	RuleReceiver
	RuleIPv6
	RuleTrafficPath
	RuleUnexplained
	RuleUnseen
	RuleWaitsForRole
	RuleWaitsForOwn
	RuleWaitsForView
	RuleWaitsForGateway
	RuleOverlaps
	RuleRejected
	RuleNoTraffic
	RuleLost

	numRules
)

var ruleTexts = [numRules]string{
	RuleNone:            "",
	RuleLegA:            "from a client to its NAT gateway",
	RuleLegB:            "from a NAT gateway to the remote; leg A counts these bytes",
	RuleLegC:            "from the remote to a NAT gateway; leg D counts what the gateway forwards of these bytes",
	RuleLegD:            "from a NAT gateway to its client",
	RuleLegE:            "the client's own view of leg A, which a logged NAT gateway counts",
	RuleLegF:            "the client's own view of leg D, which a logged NAT gateway counts",
	RulePublicLeg:       "between a NAT gateway and the remote; the client's leg counts these bytes",
	RuleClientsCounted:  "nat_vantage client counts the clients' views, not the gateways' legs",
	RuleRelayed:         "a packet of others on its way: an interface of no instance shows another address than the packet's",
	RuleSender:          "between private addresses, at the sender",
	RuleReceiver:        "between private addresses, at the receiver; the sender counts these bytes",
	RuleIPv6:            "an IPv6 remote, which NAT does not forward to",
	RuleTrafficPath:     "traffic-path says how it left",
	RuleUnexplained:     "a public remote, and no NAT gateway claims the interface's address",
	RuleUnseen:          "behind a middlebox whose own rows are not logged",
	RuleWaitsForRole:    "the interface may yet turn out to be a NAT gateway",
	RuleWaitsForOwn:     "it is not known yet which end is the interface's own",
	RuleWaitsForView:    "a NAT gateway may yet name the interface's address as a client",
	RuleWaitsForGateway: "no NAT gateway of this account and region is known yet",
	RuleOverlaps:        "another flow log owns the interface at this time",
	RuleRejected:        "a security group or network ACL rejected the packets",
	RuleNoTraffic:       "no traffic in the interval",
	RuleLost:            "AWS lost records of the interval",
}

// String explains the rule in a clause.
func (r Rule) String() string { return ruleTexts[r] }

// Leg returns the letter of the leg of a conversation through a NAT gateway, "A" to "F", or "".
func (r Rule) Leg() string {
	if r < RuleLegA || r > RuleLegF {
		return ""
	}
	return string(rune('A' + r - RuleLegA))
}
