//! Verifies Ed25519 signatures: <https://www.rfc-editor.org/rfc/rfc8032#section-5.1.7>.
//!
//! The code is optimized for size. As in `TweetNaCl`, a number has sixteen limbs of 16 bits. Both
//! scalar multiplications share one loop over the bits. All inputs are public, so the code need not
//! run in constant time. Signing is not here; the edge signs and verifies with `WebCrypto`.

use super::sha512;

/// A number modulo 2²⁵⁵ - 19, lowest limb first. Between carries a limb may exceed 16 bits.
type FieldElement = [i64; 16];

/// A point in the extended coordinates X, Y, Z, T of <https://www.rfc-editor.org/rfc/rfc8032#section-5.1.4>.
#[derive(Clone, Copy)]
struct Point {
    x: FieldElement,
    y: FieldElement,
    z: FieldElement,
    t: FieldElement,
}

/// A constant in limbs of 16 bits, lowest first.
type Limbs = [u16; 16];

/// 2²⁵⁵ - 19.
const PRIME: Limbs = {
    let mut prime = [0xffff; 16];
    prime[0] = 0xffed;
    prime[15] = 0x7fff;
    prime
};

/// The order of the base point (`L`).
const L: Limbs =
    [0xd3ed, 0x5cf5, 0x631a, 0x5812, 0x9cd6, 0xa2f7, 0xf9de, 0x14de, 0, 0, 0, 0, 0, 0, 0, 0x1000];

/// The parameter `d` of the curve.
const D: Limbs = [
    0x78a3, 0x1359, 0x4dca, 0x75eb, 0xd8ab, 0x4141, 0x0a4d, 0x0070, 0xe898, 0x7779, 0x4079, 0x8cc7,
    0xfe73, 0x2b6f, 0x6cee, 0x5203,
];

/// The square root of -1.
const SQRT_M1: Limbs = [
    0xa0b0, 0x4a0e, 0x1b27, 0xc4ee, 0xe478, 0xad2f, 0x1806, 0x2f43, 0xd7a7, 0x3dfb, 0x0099, 0x2b4d,
    0xdf0b, 0x4fc1, 0x2480, 0x2b83,
];

const ZERO: FieldElement = [0; 16];

const ONE: FieldElement = {
    let mut one = ZERO;
    one[0] = 1;
    one
};

/// Whether `key` signed `message`.
#[must_use]
pub fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    check_signature(key, message, signature).is_some()
}

fn check_signature(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Option<()> {
    let (commitment, scalar) = signature.split_first_chunk::<32>()?;
    let mut scalar = unpack(scalar.first_chunk()?);
    // Otherwise a valid signature could be changed into another valid one (malleability).
    if sub_if_ge(&mut scalar, &L) {
        return None;
    }
    let negative = decode_negated(key)?;
    // The base point: y is 4/5. Decoding negates it, so the sign bit is inverted here.
    let mut base = [0x66; 32];
    base[0] = 0x58;
    base[31] = 0xe6;
    let base = decode_negated(&base)?;

    let prefix = [*commitment, *key];
    let prefix = prefix.as_flattened();
    let hash = sha512::hash(prefix.len() + message.len(), |index| {
        prefix.get(index).or_else(|| message.get(index.checked_sub(prefix.len())?)).copied()
    });
    let mut challenge = ZERO;
    for byte in hash.iter().rev() {
        for bit in (0..8).rev() {
            shift_in_bit(&mut challenge, i64::from(byte >> bit & 1));
            sub_if_ge(&mut challenge, &L);
        }
    }

    let mut sum = Point { x: ZERO, y: ONE, z: ONE, t: ZERO };
    for index in (0..16).rev() {
        for bit in (0..16).rev() {
            sum = point_add(&sum, &sum);
            for (scalar, point) in [(&challenge, &negative), (&scalar, &base)] {
                if scalar.get(index)? >> bit & 1 == 1 {
                    sum = point_add(&sum, point);
                }
            }
        }
    }
    let inverse = field_pow(&sum.z, 253, 1 << 2 | 1 << 4);
    let mut packed = pack(&field_mul(&sum.y, &inverse));
    packed[31] |= i64::from(is_odd(&field_mul(&sum.x, &inverse))).to_le_bytes()[0] << 7;
    (packed == *commitment).then_some(())
}

fn shift_in_bit(number: &mut FieldElement, mut carry: i64) {
    for limb in number {
        let doubled = *limb << 1 | carry;
        *limb = doubled & 0xffff;
        carry = doubled >> 16;
    }
}

/// Subtracts the modulus if the number is not less. Returns whether it did.
fn sub_if_ge(number: &mut FieldElement, modulus: &Limbs) -> bool {
    let mut difference = *number;
    let mut borrow = 0;
    for (limb, subtrahend) in difference.iter_mut().zip(modulus) {
        let signed = *limb - i64::from(*subtrahend) + borrow;
        *limb = signed & 0xffff;
        borrow = signed >> 16;
    }
    if borrow == 0 {
        *number = difference;
    }
    borrow == 0
}

fn to_field(limbs: &Limbs) -> FieldElement {
    limbs.map(i64::from)
}

fn unpack(bytes: &[u8; 32]) -> FieldElement {
    let mut number = ZERO;
    for (limb, bytes) in number.iter_mut().zip(bytes.chunks_exact(2)) {
        if let [low, high] = bytes {
            *limb = i64::from(*low) | i64::from(*high) << 8;
        }
    }
    number
}

fn pack(number: &FieldElement) -> [u8; 32] {
    let mut number = *number;
    propagate_carries(&mut number);
    propagate_carries(&mut number);
    sub_if_ge(&mut number, &PRIME);
    sub_if_ge(&mut number, &PRIME);
    let mut bytes = [0; 32];
    for (bytes, limb) in bytes.chunks_exact_mut(2).zip(number) {
        if let [low, high] = bytes {
            [*low, *high, ..] = limb.to_le_bytes();
        }
    }
    bytes
}

fn is_odd(number: &FieldElement) -> bool {
    pack(number)[0] & 1 == 1
}

/// Reduces every limb to 16 bits. The lowest one may slightly exceed that.
fn propagate_carries(number: &mut FieldElement) {
    let mut carry = 0;
    for limb in &mut *number {
        let sum = *limb + carry;
        *limb = sum & 0xffff;
        carry = sum >> 16;
    }
    // 2²⁵⁶ is 38 modulo 2²⁵⁵ - 19.
    number[0] += 38 * carry;
}

fn field_add(a: &FieldElement, b: &FieldElement) -> FieldElement {
    let mut sum = *a;
    for (limb, addend) in sum.iter_mut().zip(b) {
        *limb += addend;
    }
    sum
}

fn field_sub(a: &FieldElement, b: &FieldElement) -> FieldElement {
    let mut difference = *a;
    for (limb, subtrahend) in difference.iter_mut().zip(b) {
        *limb -= subtrahend;
    }
    difference
}

fn field_mul(a: &FieldElement, b: &FieldElement) -> FieldElement {
    let mut wide = [0; 32];
    for (index, a) in a.iter().enumerate() {
        for (limb, b) in wide.iter_mut().skip(index).zip(b) {
            *limb += a * b;
        }
    }
    let mut product = ZERO;
    let (low, high) = wide.split_at(16);
    for (limb, (low, high)) in product.iter_mut().zip(low.iter().zip(high)) {
        *limb = low + 38 * high;
    }
    propagate_carries(&mut product);
    propagate_carries(&mut product);
    product
}

/// Raises the number to the power of 2 ^ (`top` + 1) - 1 - `without`.
fn field_pow(number: &FieldElement, top: u32, without: u32) -> FieldElement {
    let mut product = *number;
    for bit in (0..=top).rev() {
        product = field_mul(&product, &product);
        if without.checked_shr(bit).unwrap_or(0) & 1 == 0 {
            product = field_mul(&product, number);
        }
    }
    product
}

/// <https://www.rfc-editor.org/rfc/rfc8032#section-5.1.4>
#[expect(clippy::many_single_char_names, reason = "the names of RFC 8032")]
fn point_add(p: &Point, q: &Point) -> Point {
    let a = field_mul(&field_sub(&p.y, &p.x), &field_sub(&q.y, &q.x));
    let b = field_mul(&field_add(&p.y, &p.x), &field_add(&q.y, &q.x));
    let c = field_mul(&field_mul(&p.t, &q.t), &field_add(&to_field(&D), &to_field(&D)));
    let d = field_mul(&p.z, &field_add(&q.z, &q.z));
    let (e, f, g, h) = (field_sub(&b, &a), field_sub(&d, &c), field_add(&d, &c), field_add(&b, &a));
    Point { x: field_mul(&e, &f), y: field_mul(&h, &g), z: field_mul(&g, &f), t: field_mul(&e, &h) }
}

/// Decodes a point and negates it. Returns `None` if the bytes do not encode a point.
fn decode_negated(bytes: &[u8; 32]) -> Option<Point> {
    let mut y = unpack(bytes);
    let sign = y[15] >> 15 == 1;
    y[15] &= 0x7fff;
    if sub_if_ge(&mut y, &PRIME) {
        return None;
    }
    let square = field_mul(&y, &y);
    let numerator = field_sub(&square, &ONE);
    let denominator = field_add(&field_mul(&square, &to_field(&D)), &ONE);
    // x² is u / v. A root of that is u v³ (u v⁷) ^ ((p - 5) / 8), or that times the square root of -1:
    // https://www.rfc-editor.org/rfc/rfc8032#section-5.1.3.
    let cube = field_mul(&field_mul(&denominator, &denominator), &denominator);
    let uv3 = field_mul(&numerator, &cube);
    let uv7 = field_mul(&field_mul(&uv3, &cube), &denominator);
    let mut x = field_mul(&uv3, &field_pow(&uv7, 250, 1 << 1));
    let is_root =
        |x: &FieldElement| pack(&field_mul(&field_mul(x, x), &denominator)) == pack(&numerator);
    if !is_root(&x) {
        x = field_mul(&x, &to_field(&SQRT_M1));
        if !is_root(&x) {
            return None;
        }
    }
    if is_odd(&x) == sign {
        x = field_sub(&ZERO, &x);
    }
    Some(Point { x, y, z: ONE, t: field_mul(&x, &y) })
}
