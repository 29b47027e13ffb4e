package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

type labelSet = map[string]string

func pod(namespace, name, address string, labels labelSet, ports ...corev1.ContainerPort) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Ports: ports}}},
		Status:     corev1.PodStatus{PodIP: address, Phase: corev1.PodRunning},
	}
}

func namespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labelSet{"name": name}}}
}

func policy(namespace, name string, selector labelSet, spec netv1.NetworkPolicySpec) *netv1.NetworkPolicy {
	spec.PodSelector = metav1.LabelSelector{MatchLabels: selector}
	return &netv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: spec}
}

func port(value any) netv1.NetworkPolicyPort {
	var number intstr.IntOrString
	switch v := value.(type) {
	case int:
		number = intstr.FromInt32(int32(v))
	case string:
		number = intstr.FromString(v)
	}
	return netv1.NetworkPolicyPort{Port: &number}
}

func podPeer(labels labelSet) netv1.NetworkPolicyPeer {
	return netv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: labels}}
}

func namespacePeer(name string) netv1.NetworkPolicyPeer {
	return netv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{MatchLabels: labelSet{"name": name}}}
}

func blockPeer(cidr string, except ...string) netv1.NetworkPolicyPeer {
	return netv1.NetworkPolicyPeer{IPBlock: &netv1.IPBlock{CIDR: cidr, Except: except}}
}

func onlyIngress(rules ...netv1.NetworkPolicyIngressRule) netv1.NetworkPolicySpec {
	return netv1.NetworkPolicySpec{PolicyTypes: []netv1.PolicyType{netv1.PolicyTypeIngress}, Ingress: rules}
}

func onlyEgress(rules ...netv1.NetworkPolicyEgressRule) netv1.NetworkPolicySpec {
	return netv1.NetworkPolicySpec{PolicyTypes: []netv1.PolicyType{netv1.PolicyTypeEgress}, Egress: rules}
}

// chain returns the rules of one chain, without the first (itself) and the last (drop).
func chain(t *testing.T, table, name string) []string {
	t.Helper()
	found := regexp.MustCompile(`(?s)  chain ` + name + ` \{\n(.*?)  \}\n`).FindStringSubmatch(table)
	if found == nil {
		t.Fatalf("no chain %s in\n%s", name, table)
	}
	var rules []string
	for line := range strings.Lines(found[1]) {
		rules = append(rules, strings.TrimSpace(line))
	}
	if last := rules[len(rules)-1]; last != "counter drop" {
		t.Fatalf("%s ends in %q", name, last)
	}
	return rules[1 : len(rules)-1]
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

var (
	database = pod("b", "db", "10.0.0.1", labelSet{"app": "db"}, corev1.ContainerPort{Name: "pg", ContainerPort: 5432})
	client   = pod("b", "client", "10.0.0.2", labelSet{"app": "client"})
	stranger = pod("a", "client", "10.0.0.3", labelSet{"app": "client"})
	spaces   = []*corev1.Namespace{namespace("a"), namespace("b")}
	all      = []*corev1.Pod{stranger, client, database}
)

func render(policies ...*netv1.NetworkPolicy) string {
	table, _ := newWorld(all, spaces, policies).render()
	return table
}

func TestPodWithoutPolicyHasNoChain(t *testing.T) {
	table, chains := newWorld(all, spaces, nil).render()
	if chains != 0 || strings.Contains(table, "jump") {
		t.Errorf("%d chains in\n%s", chains, table)
	}
}

func TestDefaultDenyDropsEverythingInItsDirectionOnly(t *testing.T) {
	table := render(policy("b", "deny", nil, onlyIngress()))
	expect(t, chain(t, table, "in_10_0_0_1"))
	expect(t, chain(t, table, "in_10_0_0_2"))
	if strings.Contains(table, "out_") || strings.Contains(table, "10_0_0_3") {
		t.Errorf("too much is isolated:\n%s", table)
	}
}

func TestPodSelectorMeansPodsOfThePolicysOwnNamespace(t *testing.T) {
	rule := netv1.NetworkPolicyIngressRule{From: []netv1.NetworkPolicyPeer{podPeer(labelSet{"app": "client"})}}
	table := render(policy("b", "db", labelSet{"app": "db"}, onlyIngress(rule)))
	expect(t, chain(t, table, "in_10_0_0_1"), "ip saddr { 10.0.0.2 } return")
}

func TestNamespaceAndPodSelectorInOnePeerMustBothMatch(t *testing.T) {
	peer := namespacePeer("a")
	peer.PodSelector = &metav1.LabelSelector{MatchLabels: labelSet{"app": "other"}}
	rule := netv1.NetworkPolicyIngressRule{From: []netv1.NetworkPolicyPeer{peer}}
	expect(t, chain(t, render(policy("b", "db", labelSet{"app": "db"}, onlyIngress(rule))), "in_10_0_0_1"))
	peer.PodSelector.MatchLabels = labelSet{"app": "client"}
	table := render(policy("b", "db", labelSet{"app": "db"}, onlyIngress(rule)))
	expect(t, chain(t, table, "in_10_0_0_1"), "ip saddr { 10.0.0.3 } return")
}

func TestSeveralPoliciesAddUp(t *testing.T) {
	first := netv1.NetworkPolicyIngressRule{From: []netv1.NetworkPolicyPeer{namespacePeer("a")}}
	second := netv1.NetworkPolicyIngressRule{From: []netv1.NetworkPolicyPeer{podPeer(labelSet{"app": "client"})}}
	selector := labelSet{"app": "db"}
	table := render(policy("b", "2", selector, onlyIngress(second)), policy("b", "1", selector, onlyIngress(first)))
	expect(t, chain(t, table, "in_10_0_0_1"), "ip saddr { 10.0.0.3 } return", "ip saddr { 10.0.0.2 } return")
}

func TestNamedIngressPortIsLookedUpInTheSelectedPod(t *testing.T) {
	rule := netv1.NetworkPolicyIngressRule{Ports: []netv1.NetworkPolicyPort{port("pg"), port("unknown")}}
	table := render(policy("b", "db", labelSet{"app": "db"}, onlyIngress(rule)))
	expect(t, chain(t, table, "in_10_0_0_1"), "tcp dport 5432 return")
}

func TestNamedEgressPortIsLookedUpInThePeer(t *testing.T) {
	rule := netv1.NetworkPolicyEgressRule{
		To:    []netv1.NetworkPolicyPeer{podPeer(nil)},
		Ports: []netv1.NetworkPolicyPort{port("pg")},
	}
	table := render(policy("b", "out", labelSet{"app": "client"}, onlyEgress(rule)))
	expect(t, chain(t, table, "out_10_0_0_2"), "ip daddr 10.0.0.1 tcp dport 5432 return")
}

func TestNamedEgressPortToAnywhereMeansPodsThatNameIt(t *testing.T) {
	rule := netv1.NetworkPolicyEgressRule{Ports: []netv1.NetworkPolicyPort{port("pg"), port(53)}}
	table := render(policy("b", "out", labelSet{"app": "client"}, onlyEgress(rule)))
	expect(t, chain(t, table, "out_10_0_0_2"), "tcp dport 53 return", "ip daddr 10.0.0.1 tcp dport 5432 return")
}

func TestPortOfASidecarCountsAndOfAnInitContainerDoesNot(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	both := pod("b", "x", "10.0.0.9", labelSet{"app": "x"})
	both.Spec.InitContainers = []corev1.Container{
		{Ports: []corev1.ContainerPort{{Name: "m", ContainerPort: 1}}},
		{Ports: []corev1.ContainerPort{{Name: "m", ContainerPort: 2}}, RestartPolicy: &always},
	}
	rule := netv1.NetworkPolicyIngressRule{Ports: []netv1.NetworkPolicyPort{port("m")}}
	policies := []*netv1.NetworkPolicy{policy("b", "p", nil, onlyIngress(rule))}
	table, _ := newWorld([]*corev1.Pod{both}, spaces, policies).render()
	expect(t, chain(t, table, "in_10_0_0_9"), "tcp dport 2 return")
}

func TestPortRangeProtocolAndAllPorts(t *testing.T) {
	udp, end := corev1.ProtocolUDP, int32(6000)
	ranged := port(5000)
	ranged.EndPort = &end
	numbered := port(53)
	numbered.Protocol = &udp
	ports := []netv1.NetworkPolicyPort{ranged, numbered, {Protocol: &udp}}
	table := render(policy("b", "db", labelSet{"app": "db"}, onlyIngress(netv1.NetworkPolicyIngressRule{Ports: ports})))
	expect(t, chain(t, table, "in_10_0_0_1"),
		"tcp dport 5000-6000 return", "udp dport 53 return", "meta l4proto udp return")
}

func TestAddressBlocks(t *testing.T) {
	rule := netv1.NetworkPolicyEgressRule{To: []netv1.NetworkPolicyPeer{
		blockPeer("0.0.0.0/0", "10.0.0.0/8", "fd00::/8"),
		blockPeer("::/0"),
	}}
	table := render(policy("b", "out", labelSet{"app": "client"}, onlyEgress(rule)))
	expect(t, chain(t, table, "out_10_0_0_2"), "ip daddr 0.0.0.0/0 ip daddr != { 10.0.0.0/8 } return")
}

func TestFinishedAndHostNetworkPodsHaveNoAddressOfTheirOwn(t *testing.T) {
	finished, host := pod("b", "f", "10.0.0.4", nil), pod("b", "h", "10.0.0.5", nil)
	finished.Status.Phase = corev1.PodSucceeded
	host.Spec.HostNetwork = true
	policies := []*netv1.NetworkPolicy{policy("b", "deny", nil, onlyIngress())}
	if _, chains := newWorld([]*corev1.Pod{finished, host}, spaces, policies).render(); chains != 0 {
		t.Errorf("%d chains", chains)
	}
}

func TestSameClusterGivesTheSameRules(t *testing.T) {
	deny := policy("b", "deny", nil, onlyIngress())
	reversed := []*corev1.Pod{database, client, stranger}
	first := render(deny)
	second, _ := newWorld(reversed, spaces, []*netv1.NetworkPolicy{deny}).render()
	if first != second {
		t.Errorf("%s\n---\n%s", first, second)
	}
}

func TestNftAcceptsTheRules(t *testing.T) {
	nft, err := exec.LookPath("nft")
	if err != nil {
		t.Skip("nft is not installed")
	}
	rule := netv1.NetworkPolicyEgressRule{
		To:    []netv1.NetworkPolicyPeer{podPeer(nil), blockPeer("0.0.0.0/0", "10.0.0.0/8", "192.168.0.0/16")},
		Ports: []netv1.NetworkPolicyPort{port("pg"), port(53)},
	}
	table := render(policy("b", "out", nil, onlyEgress(rule)), policy("b", "in", nil, onlyIngress()))
	command := exec.Command(nft, "--check", "-f", "-")
	command.Stdin = strings.NewReader(table)
	if output, err := command.CombinedOutput(); err != nil {
		if strings.Contains(string(output), "not permitted") {
			t.Skip("nft needs root")
		}
		t.Errorf("%v: %s\n%s", err, output, table)
	}
}
