//! The tree: the known roots of RFC 6962 implementations, and laws on trees of any size.

use super::*;
use model::Sha256Hash;
use proptest::prelude::*;

/// Leaves and roots of the reference test of Certificate Transparency.
const LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn tree(count: u32) -> MerkleTree {
    MerkleTree::new((0..count).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect()).unwrap()
}

#[test]
fn roots_are_those_of_the_reference() {
    for (count, root) in (1..).zip(ROOTS) {
        let tree = MerkleTree::new(LEAVES[..count].iter().map(|leaf| leaf_hash(leaf)).collect()).unwrap();
        assert_eq!(tree.root().to_string(), root);
    }
    assert_eq!(MerkleTree::new(Vec::new()), None);
}

#[test]
fn every_leaf_of_every_small_tree_has_a_path_and_only_its_own() {
    for count in 1..40 {
        let tree = tree(count);
        for index in 0..count {
            let (leaf, path) = (leaf_hash(&index.to_be_bytes()), tree.path(index).unwrap());
            assert!(is_included(leaf, index, count, &path, tree.root()), "{index} of {count}");
            for other in 0..count + 2 {
                let fits = is_included(leaf, other, count, &path, tree.root());
                assert_eq!(fits, other == index, "{index} as {other} of {count}");
            }
        }
        assert_eq!(tree.path(count), None);
    }
}

#[test]
fn a_node_is_never_taken_for_a_leaf() {
    let tree = tree(4);
    let path = tree.path(0).unwrap();
    // The first node over leaves 0 and 1, offered as a leaf of a tree of two.
    let inner = [[0x01].as_slice(), &leaf_hash(&0u32.to_be_bytes()).0, &path[0].0].concat();
    assert!(!is_included(leaf_hash(&inner[1..]), 0, 2, &path[1..], tree.root()));
    assert!(!is_included(leaf_hash(&inner), 0, 2, &path[1..], tree.root()));
}

proptest! {
    #[test]
    fn a_path_holds_until_anything_of_it_changes(count in 1u32..3000, at in any::<u32>(), spoil in any::<(u8, u8)>()) {
        let (tree, index) = (tree(count), at % count);
        let leaf = leaf_hash(&index.to_be_bytes());
        let path = tree.path(index).unwrap();
        prop_assert!(path.len() <= 12);
        prop_assert!(is_included(leaf, index, count, &path, tree.root()));
        for step in 0..path.len() {
            let mut changed = path.clone();
            changed[step].0[usize::from(spoil.0 % 32)] ^= spoil.1 | 1;
            prop_assert!(!is_included(leaf, index, count, &changed, tree.root()));
            let mut shorter = path.clone();
            shorter.remove(step);
            prop_assert!(!is_included(leaf, index, count, &shorter, tree.root()));
            let mut longer = path.clone();
            longer.insert(step, Sha256Hash([spoil.1; 32]));
            prop_assert!(!is_included(leaf, index, count, &longer, tree.root()));
        }
    }
}
