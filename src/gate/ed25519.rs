//! Is a signature genuine? Ed25519, verification only: <https://www.rfc-editor.org/rfc/rfc8032#section-5.1.7>.
//!
//! Small before it is fast: numbers are sixteen parts of 16 bits, as in `TweetNaCl`, and two scalars are
//! multiplied at once, bit by bit. Nothing here is secret, so that time may tell everything. Signing is
//! not here, and the edge does neither with this.

use super::sha512;

/// A number modulo 2²⁵⁵ - 19, its lowest 16 bits first. A part may be larger than that for a while.
type FieldElement = [i64; 16];

/// A point as X : Y : Z : T of <https://www.rfc-editor.org/rfc/rfc8032#section-5.1.4>.
#[derive(Clone, Copy)]
struct Point {
    x: FieldElement,
    y: FieldElement,
    z: FieldElement,
    t: FieldElement,
}

/// A number as it is written down.
type Limbs = [u16; 16];

/// 2²⁵⁵ - 19.
const PRIME: Limbs = {
    let mut prime = [0xffff; 16];
    prime[0] = 0xffed;
    prime[15] = 0x7fff;
    prime
};

/// The order of the base point.
const L: Limbs =
    [0xd3ed, 0x5cf5, 0x631a, 0x5812, 0x9cd6, 0xa2f7, 0xf9de, 0x14de, 0, 0, 0, 0, 0, 0, 0, 0x1000];

/// The curve's `d`.
const D: Limbs = [
    0x78a3, 0x1359, 0x4dca, 0x75eb, 0xd8ab, 0x4141, 0x0a4d, 0x0070, 0xe898, 0x7779, 0x4079, 0x8cc7,
    0xfe73, 0x2b6f, 0x6cee, 0x5203,
];

/// The root of -1.
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
    // Otherwise who has a signature could make others of it.
    if sub_if_ge(&mut scalar, &L) {
        return None;
    }
    let negative = decode_negated(key)?;
    // Its y is 4/5; the sign is the other one, since it is negated too.
    let mut base = [0x66; 32];
    base[0] = 0x58;
    base[31] = 0xe6;
    let base = decode_negated(&base)?;

    let before = [*commitment, *key];
    let before = before.as_flattened();
    let hash = sha512::hash(before.len() + message.len(), |at| {
        before.get(at).or_else(|| message.get(at.checked_sub(before.len())?)).copied()
    });
    let mut challenge = ZERO;
    for byte in hash.iter().rev() {
        for bit in (0..8).rev() {
            shift_in_bit(&mut challenge, i64::from(byte >> bit & 1));
            sub_if_ge(&mut challenge, &L);
        }
    }

    let mut sum = Point { x: ZERO, y: ONE, z: ONE, t: ZERO };
    for place in (0..16).rev() {
        for bit in (0..16).rev() {
            sum = point_add(&sum, &sum);
            for (scalar, point) in [(&challenge, &negative), (&scalar, &base)] {
                if scalar.get(place)? >> bit & 1 == 1 {
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
    for part in number {
        let doubled = *part << 1 | carry;
        *part = doubled & 0xffff;
        carry = doubled >> 16;
    }
}

/// Takes the modulus away from a number that is not less, and tells whether it did.
fn sub_if_ge(number: &mut FieldElement, modulus: &Limbs) -> bool {
    let mut less = *number;
    let mut borrow = 0;
    for (part, taken) in less.iter_mut().zip(modulus) {
        let left = *part - i64::from(*taken) + borrow;
        *part = left & 0xffff;
        borrow = left >> 16;
    }
    if borrow == 0 {
        *number = less;
    }
    borrow == 0
}

fn to_field(written: &Limbs) -> FieldElement {
    written.map(i64::from)
}

fn unpack(bytes: &[u8; 32]) -> FieldElement {
    let mut number = ZERO;
    for (part, bytes) in number.iter_mut().zip(bytes.chunks_exact(2)) {
        if let [low, high] = bytes {
            *part = i64::from(*low) | i64::from(*high) << 8;
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
    for (bytes, part) in bytes.chunks_exact_mut(2).zip(number) {
        if let [low, high] = bytes {
            [*low, *high, ..] = part.to_le_bytes();
        }
    }
    bytes
}

fn is_odd(number: &FieldElement) -> bool {
    pack(number)[0] & 1 == 1
}

/// Brings every part to 16 bits, the first one nearly.
fn propagate_carries(number: &mut FieldElement) {
    let mut carry = 0;
    for part in &mut *number {
        let whole = *part + carry;
        *part = whole & 0xffff;
        carry = whole >> 16;
    }
    // 2²⁵⁶ is 38.
    number[0] += 38 * carry;
}

fn field_add(a: &FieldElement, b: &FieldElement) -> FieldElement {
    let mut sum = *a;
    for (part, more) in sum.iter_mut().zip(b) {
        *part += more;
    }
    sum
}

fn field_sub(a: &FieldElement, b: &FieldElement) -> FieldElement {
    let mut difference = *a;
    for (part, less) in difference.iter_mut().zip(b) {
        *part -= less;
    }
    difference
}

fn field_mul(a: &FieldElement, b: &FieldElement) -> FieldElement {
    let mut whole = [0; 32];
    for (place, a) in a.iter().enumerate() {
        for (part, b) in whole.iter_mut().skip(place).zip(b) {
            *part += a * b;
        }
    }
    let mut product = ZERO;
    let (low, high) = whole.split_at(16);
    for (part, (low, high)) in product.iter_mut().zip(low.iter().zip(high)) {
        *part = low + 38 * high;
    }
    propagate_carries(&mut product);
    propagate_carries(&mut product);
    product
}

/// The number to the power of 2 ^ (`top` + 1) - 1, less the bits of `without`.
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
#[expect(clippy::many_single_char_names, reason = "they are the document's")]
fn point_add(p: &Point, q: &Point) -> Point {
    let a = field_mul(&field_sub(&p.y, &p.x), &field_sub(&q.y, &q.x));
    let b = field_mul(&field_add(&p.y, &p.x), &field_add(&q.y, &q.x));
    let c = field_mul(&field_mul(&p.t, &q.t), &field_add(&to_field(&D), &to_field(&D)));
    let d = field_mul(&p.z, &field_add(&q.z, &q.z));
    let (e, f, g, h) = (field_sub(&b, &a), field_sub(&d, &c), field_add(&d, &c), field_add(&b, &a));
    Point { x: field_mul(&e, &f), y: field_mul(&h, &g), z: field_mul(&g, &f), t: field_mul(&e, &h) }
}

/// The negative of the point that these bytes are, if they are one.
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
    // x² is the one over the other; a root of it is u v³ (u v⁷) ^ ((p - 5) / 8), or that times the root of -1.
    let cube = field_mul(&field_mul(&denominator, &denominator), &denominator);
    let first = field_mul(&numerator, &cube);
    let second = field_mul(&field_mul(&first, &cube), &denominator);
    let mut x = field_mul(&first, &field_pow(&second, 250, 1 << 1));
    let fits =
        |x: &FieldElement| pack(&field_mul(&field_mul(x, x), &denominator)) == pack(&numerator);
    if !fits(&x) {
        x = field_mul(&x, &to_field(&SQRT_M1));
        if !fits(&x) {
            return None;
        }
    }
    if is_odd(&x) == sign {
        x = field_sub(&ZERO, &x);
    }
    Some(Point { x, y, z: ONE, t: field_mul(&x, &y) })
}
