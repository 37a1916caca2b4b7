//! How long a thread waits for its allocator while a gigabyte that it held goes back to the system:
//! `cargo run --release -p relay-heap --example stall [MIB]`.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The size of a frame in an outbox, more or less.
const BLOCK: usize = 1_000;
/// One in so many blocks stays, so that no page range is free from end to end.
const STAYS: usize = 500;

fn main() {
    let mib = std::env::args().nth(1).and_then(|it| it.parse().ok()).unwrap_or(1_024_usize);
    let (is_trimming, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let shard = scope.spawn(|| {
            let mut held: Vec<Vec<u8>> =
                (0..mib * 1_048_576 / BLOCK).map(|_| vec![1; BLOCK]).collect();
            let mut number = 0;
            held.retain(|_| {
                number += 1;
                number % STAYS == 0
            });
            is_trimming.store(true, Ordering::SeqCst);
            let (mut longest, mut rounds) = (Duration::ZERO, 0_u64);
            while !is_over.load(Ordering::SeqCst) {
                let began = Instant::now();
                // More than the thread's own cache has room for: the heap itself is asked.
                drop(black_box((0..32).map(|_| vec![0_u8; BLOCK]).collect::<Vec<_>>()));
                longest = longest.max(began.elapsed());
                rounds += 1;
            }
            (longest, rounds, held.len())
        });
        while !is_trimming.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(100));
        let began = Instant::now();
        relay_heap::give_back();
        let trim = began.elapsed();
        is_over.store(true, Ordering::SeqCst);
        let Ok((longest, rounds, held)) = shard.join() else { return };
        let line = format!(
            "{mib} MiB freed but for {held} blocks: given back in {trim:?}; the thread waited {longest:?} \
             at most ({rounds} rounds)\n"
        );
        let _ = std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes());
    });
}
