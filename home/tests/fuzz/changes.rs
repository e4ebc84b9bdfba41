//! Changing seeds a little, the same way for the same number.

/// Values at which lengths and counts go wrong.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7f,
    0xff,
    0x100,
    0xfff,
    0xffff,
    0x0001_0000,
    0x7fff_ffff,
    0xffff_ffff,
    i64::MAX.cast_unsigned(),
    u64::MAX,
];

/// Runs `parse` on changed copies of `seed`; every other time it is asked to do more.
pub fn fuzz(seed: &[u8], mut parse: impl FnMut(&mut Vec<u8>, bool)) {
    let runs = std::env::var("WENDY_HOME_FUZZ").map_or(20_000, |runs| runs.parse().unwrap());
    let mut bytes = Vec::new();
    for run in 0..runs {
        let mut random = Random((run + 1u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        bytes.clear();
        bytes.extend_from_slice(seed);
        for _ in 0..=random.below(4) {
            change(&mut bytes, &mut random);
        }
        parse(&mut bytes, run % 2 == 0);
    }
    println!("{runs} runs");
}

fn change(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.is_empty() {
        bytes.push(0);
    }
    let at = random.below(bytes.len());
    let length = random.below(64).min(bytes.len() - at);
    match random.below(7) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.next().to_le_bytes()[0],
        2 => overwrite(
            bytes,
            at,
            &EDGES[random.below(EDGES.len())].to_le_bytes()[..4],
        ),
        3 => overwrite(bytes, at, &EDGES[random.below(EDGES.len())].to_le_bytes()),
        4 => drop(bytes.drain(at..at + length)),
        5 => {
            let copied = bytes[at..at + length].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, copied);
        }
        _ => {
            let copied = bytes[at..at + length].to_vec();
            let to = random.below(bytes.len());
            overwrite(bytes, to, &copied);
        }
    }
}

/// Writes over bytes, as far as they go.
pub fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    let room = with.len().min(bytes.len() - at);
    bytes[at..at + room].copy_from_slice(&with[..room]);
}

/// xorshift64: the same run for the same number.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap();
        usize::try_from((self.next() >> 11) % end).unwrap()
    }
}
