//! Any text at all goes the way of `tenure verify FILE`, on a stack like the program's own.
#![no_main]

mod body;

/// As much as the program gives itself, and what the sanitizer takes.
const STACK: usize = 1 << 30;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let text = text.to_owned();
    let deep = std::thread::Builder::new().stack_size(STACK).spawn(move || body::sound(&text));
    // A panic has ended the process already.
    drop(deep.map(std::thread::JoinHandle::join));
});
