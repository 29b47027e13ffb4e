package main

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func given(t *testing.T) settings {
	t.Helper()
	return settings{name: "example.com/dir", root: t.TempDir(), node: "n"}
}

func TestOnlyDirectoriesRightBelowTheRootAreRemovable(t *testing.T) {
	s := given(t)
	ours := filepath.Join(s.root, "pvc-1")
	if err := os.Mkdir(ours, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(s.root, "pvc-link")); err != nil {
		t.Fatal(err)
	}
	if err := s.removable(ours); err != nil {
		t.Errorf("our own: %v", err)
	}
	if err := s.removable(filepath.Join(s.root, "pvc-gone")); err != nil {
		t.Errorf("removed already: %v", err)
	}
	for _, path := range []string{
		"/", "/etc", "", ".", "pvc-1", s.root, s.root + "/", s.root + "/..", s.root + "/../pvc-1",
		s.root + "/pvc-1/..", s.root + "/pvc-1/../../pvc-2", s.root + "/pvc-1/data", s.root + "/other",
		s.root + "//pvc-1", s.root + "-pvc-1", s.root + "/pvc-link",
	} {
		if s.removable(path) == nil {
			t.Errorf("%q would be removed", path)
		}
	}
}

func TestVolumeIsBelowTheRootOnThisNode(t *testing.T) {
	s := given(t)
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "data", UID: "42"}}
	volume := s.volume(claim, &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "standard"}})
	if got := volume.Spec.Local.Path; got != filepath.Join(s.root, "pvc-42") {
		t.Errorf("path %q", got)
	}
	if err := s.removable(volume.Spec.Local.Path); err != nil {
		t.Errorf("could not be reclaimed: %v", err)
	}
	if policy := volume.Spec.PersistentVolumeReclaimPolicy; policy != corev1.PersistentVolumeReclaimDelete {
		t.Errorf("policy %s", policy)
	}
	nodes := volume.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0].Values
	if len(nodes) != 1 || nodes[0] != "n" {
		t.Errorf("nodes %v", nodes)
	}
}

func TestClaimIsServedOnceItsPodHasThisNode(t *testing.T) {
	s := given(t)
	late := storagev1.VolumeBindingWaitForFirstConsumer
	class := &storagev1.StorageClass{Provisioner: s.name, VolumeBindingMode: &late}
	claim := &corev1.PersistentVolumeClaim{Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}}
	if s.wants(claim, class) {
		t.Error("served before a pod needs it")
	}
	claim.Annotations = map[string]string{selectedNode: "another"}
	if s.wants(claim, class) {
		t.Error("served for another node")
	}
	claim.Annotations[selectedNode] = s.node
	if !s.wants(claim, class) {
		t.Error("not served")
	}
	class.Provisioner = "example.com/other"
	if s.wants(claim, class) {
		t.Error("another provisioner's claim served")
	}
}

func TestOnlyOurReleasedVolumesWithPolicyDeleteAreReclaimed(t *testing.T) {
	s := given(t)
	volume := s.volume(&corev1.PersistentVolumeClaim{}, &storagev1.StorageClass{})
	volume.Status.Phase = corev1.VolumeReleased
	if !s.reclaims(volume) {
		t.Error("ours is not reclaimed")
	}
	for name, change := range map[string]func(*corev1.PersistentVolume){
		"bound": func(v *corev1.PersistentVolume) { v.Status.Phase = corev1.VolumeBound },
		"retained": func(v *corev1.PersistentVolume) {
			v.Spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimRetain
		},
		"foreign": func(v *corev1.PersistentVolume) { v.Annotations[provisionedBy] = "other" },
		"no path": func(v *corev1.PersistentVolume) { v.Spec.Local = nil },
	} {
		changed := volume.DeepCopy()
		change(changed)
		if s.reclaims(changed) {
			t.Errorf("%s volume is reclaimed", name)
		}
	}
}
