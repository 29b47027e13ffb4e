package main

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// direction is the side of a pod that a rule is about, and the field of a packet that holds its peer.
type direction string

const (
	ingress direction = "saddr"
	egress  direction = "daddr"
)

// newWorld sorts everything, so that the same cluster gives the same rules.
func newWorld(pods []*corev1.Pod, namespaces []*corev1.Namespace, policies []*netv1.NetworkPolicy) world {
	w := world{namespaces: map[string]map[string]string{}, policies: map[string][]*netv1.NetworkPolicy{}}
	for _, pod := range pods {
		if hasAddress(pod) {
			w.pods = append(w.pods, pod)
		}
	}
	slices.SortFunc(w.pods, func(a, b *corev1.Pod) int { return cmp.Compare(a.Status.PodIP, b.Status.PodIP) })
	for _, namespace := range namespaces {
		w.namespaces[namespace.Name] = namespace.Labels
	}
	for _, policy := range policies {
		w.policies[policy.Namespace] = append(w.policies[policy.Namespace], policy)
	}
	for _, list := range w.policies {
		slices.SortFunc(list, func(a, b *netv1.NetworkPolicy) int { return cmp.Compare(a.Name, b.Name) })
	}
	return w
}

// hasAddress says whether the pod owns an address of the pod network: a finished pod's may belong to
// another already.
func hasAddress(pod *corev1.Pod) bool {
	finished := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	return !pod.Spec.HostNetwork && pod.Status.PodIP != "" && !finished
}

// render returns the whole nft table and the number of pods' chains in it.
//
// Each selected pod gets a chain per direction: its rules return on a match, and it ends in drop. The hooks:
// forward comes after kube-proxy's DNAT, so rules see pods' addresses; input is a pod's way to the node
// itself. What the node sends to its pods (the kubelet's probes) leaves through output, which is free.
func (w world) render() (string, int) {
	var chains strings.Builder
	var jumpsIn, jumpsOut []string
	for _, pod := range w.pods {
		address := pod.Status.PodIP
		suffix := strings.ReplaceAll(address, ".", "_")
		if rules, isolated := w.podRules(pod, ingress); isolated {
			writeChain(&chains, "in_"+suffix, ingress, address, rules)
			jumpsIn = append(jumpsIn, address+" : jump in_"+suffix)
		}
		if rules, isolated := w.podRules(pod, egress); isolated {
			writeChain(&chains, "out_"+suffix, egress, address, rules)
			jumpsOut = append(jumpsOut, address+" : jump out_"+suffix)
		}
	}
	var table strings.Builder
	// Declared first, so that the delete succeeds when there is no table yet.
	table.WriteString("table inet netpol\ndelete table inet netpol\ntable inet netpol {\n")
	table.WriteString(chains.String())
	writeHook(&table, "forward", map[direction][]string{ingress: jumpsIn, egress: jumpsOut})
	writeHook(&table, "input", map[direction][]string{egress: jumpsOut})
	table.WriteString("}\n")
	return table.String(), len(jumpsIn) + len(jumpsOut)
}

func writeChain(out *strings.Builder, name string, dir direction, self string, rules []string) {
	fmt.Fprintf(out, "  chain %s {\n    ip %s %s return\n", name, dir, self)
	for _, rule := range rules {
		fmt.Fprintf(out, "    %s\n", rule)
	}
	out.WriteString("    counter drop\n  }\n")
}

func writeHook(out *strings.Builder, hook string, jumps map[direction][]string) {
	fmt.Fprintf(out, "  chain %s {\n    type filter hook %s priority filter - 5; policy accept;\n", hook, hook)
	out.WriteString("    ct state established,related accept\n")
	// A packet's sender is the pod whose egress counts, its receiver the one whose ingress counts.
	if list := jumps[egress]; len(list) > 0 {
		fmt.Fprintf(out, "    ip saddr vmap %s\n", set(list))
	}
	if list := jumps[ingress]; len(list) > 0 {
		fmt.Fprintf(out, "    ip daddr vmap %s\n", set(list))
	}
	out.WriteString("  }\n")
}

// podRules returns the rules of all policies that select the pod, and whether there is any such policy.
func (w world) podRules(pod *corev1.Pod, dir direction) (rules []string, isolated bool) {
	for _, policy := range w.policies[pod.Namespace] {
		if !matches(&policy.Spec.PodSelector, pod.Labels) {
			continue
		}
		for _, kind := range policy.Spec.PolicyTypes {
			switch {
			case kind == netv1.PolicyTypeIngress && dir == ingress:
				isolated = true
				for _, rule := range policy.Spec.Ingress {
					rules = append(rules, w.peerRules(dir, pod, rule.From, rule.Ports)...)
				}
			case kind == netv1.PolicyTypeEgress && dir == egress:
				isolated = true
				for _, rule := range policy.Spec.Egress {
					rules = append(rules, w.peerRules(dir, pod, rule.To, rule.Ports)...)
				}
			}
		}
	}
	return rules, isolated
}

// peerRules renders one rule of a policy for the pod that it selects.
//
// A named port is looked up in the pod that receives: for ingress the selected pod, for egress each peer.
func (w world) peerRules(
	dir direction, pod *corev1.Pod, peers []netv1.NetworkPolicyPeer, ports []netv1.NetworkPolicyPort,
) []string {
	perPeer := dir == egress && hasNamedPort(ports)
	if len(peers) == 0 {
		if !perPeer {
			return withPorts("", ports, pod)
		}
		rules := withPorts("", ports, nil)
		for _, receiver := range w.pods {
			rules = append(rules, withPorts("ip daddr "+receiver.Status.PodIP+" ", named(ports), receiver)...)
		}
		return rules
	}
	var rules, addresses []string
	for i := range peers {
		if block := peers[i].IPBlock; block != nil {
			if match := blockMatch(dir, block); match != "" {
				receiver := pod
				if dir == egress {
					receiver = nil // outside the cluster nobody names ports
				}
				rules = append(rules, withPorts(match, ports, receiver)...)
			}
			continue
		}
		for _, other := range w.pods {
			if !w.isPeer(&peers[i], pod.Namespace, other) {
				continue
			}
			if perPeer {
				rules = append(rules, withPorts("ip daddr "+other.Status.PodIP+" ", ports, other)...)
			} else {
				addresses = append(addresses, other.Status.PodIP)
			}
		}
	}
	if len(addresses) > 0 {
		rules = append(rules, withPorts(fmt.Sprintf("ip %s %s ", dir, set(addresses)), ports, pod)...)
	}
	return rules
}

// isPeer says whether a pod is meant by a peer of a policy in the given namespace.
func (w world) isPeer(peer *netv1.NetworkPolicyPeer, namespace string, pod *corev1.Pod) bool {
	if peer.NamespaceSelector == nil {
		if pod.Namespace != namespace {
			return false
		}
	} else if labels, known := w.namespaces[pod.Namespace]; !known || !matches(peer.NamespaceSelector, labels) {
		return false
	}
	return peer.PodSelector == nil || matches(peer.PodSelector, pod.Labels)
}

// blockMatch renders an address range; it is empty for IPv6, which the node does not have.
func blockMatch(dir direction, block *netv1.IPBlock) string {
	if !isIPv4(block.CIDR) {
		return ""
	}
	match := fmt.Sprintf("ip %s %s ", dir, block.CIDR)
	var except []string
	for _, cidr := range block.Except {
		if isIPv4(cidr) {
			except = append(except, cidr)
		}
	}
	if len(except) > 0 {
		match += fmt.Sprintf("ip %s != %s ", dir, set(except))
	}
	return match
}

func isIPv4(cidr string) bool {
	address, _, err := net.ParseCIDR(cidr)
	return err == nil && address.To4() != nil
}

// withPorts completes an address match to one rule per port; names are looked up in the receiver.
func withPorts(match string, ports []netv1.NetworkPolicyPort, receiver *corev1.Pod) []string {
	if len(ports) == 0 {
		return []string{match + "return"}
	}
	var rules []string
	for i := range ports {
		for _, port := range portMatches(&ports[i], receiver) {
			rules = append(rules, match+port+"return")
		}
	}
	return rules
}

func portMatches(port *netv1.NetworkPolicyPort, receiver *corev1.Pod) []string {
	protocol := "tcp"
	if port.Protocol != nil {
		protocol = strings.ToLower(string(*port.Protocol))
	}
	switch {
	case port.Port == nil:
		return []string{"meta l4proto " + protocol + " "}
	case port.Port.Type == intstr.String:
		var matches []string
		for _, number := range portsNamed(receiver, port.Port.StrVal, protocol) {
			matches = append(matches, fmt.Sprintf("%s dport %d ", protocol, number))
		}
		return matches
	case port.EndPort != nil:
		return []string{fmt.Sprintf("%s dport %d-%d ", protocol, port.Port.IntVal, *port.EndPort)}
	default:
		return []string{fmt.Sprintf("%s dport %d ", protocol, port.Port.IntVal)}
	}
}

// portsNamed returns the numbers of a pod's ports with that name, sidecars included.
func portsNamed(pod *corev1.Pod, name, protocol string) []int32 {
	if pod == nil {
		return nil
	}
	containers := slices.Clone(pod.Spec.Containers)
	for _, container := range pod.Spec.InitContainers {
		if container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			containers = append(containers, container)
		}
	}
	var numbers []int32
	for _, container := range containers {
		for _, port := range container.Ports {
			declared := cmp.Or(string(port.Protocol), "TCP")
			if port.Name == name && strings.EqualFold(declared, protocol) {
				numbers = append(numbers, port.ContainerPort)
			}
		}
	}
	return numbers
}

func isNamed(port netv1.NetworkPolicyPort) bool {
	return port.Port != nil && port.Port.Type == intstr.String
}

func hasNamedPort(ports []netv1.NetworkPolicyPort) bool {
	return slices.ContainsFunc(ports, isNamed)
}

func named(ports []netv1.NetworkPolicyPort) []netv1.NetworkPolicyPort {
	return slices.DeleteFunc(slices.Clone(ports), func(port netv1.NetworkPolicyPort) bool { return !isNamed(port) })
}

func matches(selector *metav1.LabelSelector, set map[string]string) bool {
	compiled, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && compiled.Matches(labels.Set(set))
}

// set renders an anonymous nft set.
func set(items []string) string {
	sorted := slices.Clone(items)
	slices.Sort(sorted)
	return "{ " + strings.Join(slices.Compact(sorted), ", ") + " }"
}
