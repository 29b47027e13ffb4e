package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
)

const (
	provisionedBy = "pv.kubernetes.io/provisioned-by"
	selectedNode  = "volume.kubernetes.io/selected-node"
	prefix        = "pvc-"
	openToAll     = 0o777 // the pod's user is not known; fsGroup narrows it where it is set
)

type settings struct {
	name string
	root string
	node string
}

type provisioner struct {
	settings
	client  kubernetes.Interface
	volumes corelisters.PersistentVolumeLister
	classes storagelisters.StorageClassLister
}

// wants says whether this provisioner is to make a volume for the claim now.
func (s settings) wants(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) bool {
	open := claim.Status.Phase == corev1.ClaimPending && claim.Spec.VolumeName == "" && claim.DeletionTimestamp == nil
	if !open || class.Provisioner != s.name {
		return false
	}
	late := class.VolumeBindingMode != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer
	return !late || claim.Annotations[selectedNode] == s.node
}

// reclaims says whether the volume is ours, released, and to be deleted.
func (s settings) reclaims(volume *corev1.PersistentVolume) bool {
	return volume.Annotations[provisionedBy] == s.name &&
		volume.Status.Phase == corev1.VolumeReleased &&
		volume.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete &&
		volume.Spec.Local != nil
}

// removable returns an error unless the path is a directory that this provisioner may have made: right below
// its root, with its prefix. A volume's path comes from the API, where an administrator can write anything.
func (s settings) removable(path string) error {
	root := filepath.Clean(s.root)
	clean := filepath.Clean(path)
	if clean != path || filepath.Dir(clean) != root || !strings.HasPrefix(filepath.Base(clean), prefix) {
		return fmt.Errorf("%q is not a volume below %q", path, root)
	}
	info, err := os.Lstat(clean)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%q is not a directory", path)
	}
	return nil
}

// volume describes the volume for a claim; its directory is below the root.
func (s settings) volume(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) *corev1.PersistentVolume {
	id := prefix + string(claim.UID)
	policy := corev1.PersistentVolumeReclaimDelete
	if class.ReclaimPolicy != nil {
		policy = *class.ReclaimPolicy
	}
	here := corev1.NodeSelectorRequirement{
		Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{s.node},
	}
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: id, Annotations: map[string]string{provisionedBy: s.name}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: corev1.ResourceList{
				corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage],
			},
			AccessModes:                   claim.Spec.AccessModes,
			VolumeMode:                    claim.Spec.VolumeMode,
			PersistentVolumeReclaimPolicy: policy,
			StorageClassName:              class.Name,
			MountOptions:                  class.MountOptions,
			ClaimRef: &corev1.ObjectReference{
				Kind: "PersistentVolumeClaim", APIVersion: "v1",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				Local: &corev1.LocalVolumeSource{Path: filepath.Join(s.root, id)},
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{
					{MatchExpressions: []corev1.NodeSelectorRequirement{here}},
				},
			}},
		},
	}
}

// provision makes directory and volume for a claim that waits for one; what fails is logged and tried again.
func (p provisioner) provision(ctx context.Context, claim *corev1.PersistentVolumeClaim) {
	if claim.Spec.StorageClassName == nil {
		return
	}
	class, err := p.classes.Get(*claim.Spec.StorageClassName)
	if err != nil || !p.wants(claim, class) {
		return
	}
	volume := p.volume(claim, class)
	if _, err := p.volumes.Get(volume.Name); err == nil {
		return
	}
	if err := p.create(ctx, volume); err != nil {
		log.Printf("%s: %v", volume.Name, err)
		return
	}
	log.Printf("provisioned %s for %s/%s", volume.Name, claim.Namespace, claim.Name)
}

func (p provisioner) create(ctx context.Context, volume *corev1.PersistentVolume) error {
	directory := volume.Spec.Local.Path
	if err := os.MkdirAll(directory, openToAll); err != nil {
		return err
	}
	if err := os.Chmod(directory, openToAll); err != nil { // MkdirAll obeys the umask
		return err
	}
	_, err := p.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// reclaim removes a released volume with its directory; what fails is logged and tried again.
func (p provisioner) reclaim(ctx context.Context, volume *corev1.PersistentVolume) {
	if !p.reclaims(volume) {
		return
	}
	path := volume.Spec.Local.Path
	if err := p.removable(path); err != nil {
		log.Printf("%s is left alone: %v", volume.Name, err)
		return
	}
	if err := os.RemoveAll(path); err != nil {
		log.Printf("%s: %v", volume.Name, err)
		return
	}
	err := p.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		log.Printf("%s: %v", volume.Name, err)
		return
	}
	log.Printf("deleted %s", volume.Name)
}
