//! Work on text.

use std::hint::black_box;

pub fn string_building() -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut text = String::new();
    for i in 0..black_box(200_000) {
        parts.push((i % 1000).to_string());
        parts.push(if i % 3 != 0 { "," } else { ";" }.to_owned());
        text.push(['a', 'b'][i % 2]);
    }
    let joined = parts.concat();
    let mut upper = 0;
    for word in joined.split(';') {
        if word.starts_with('1') || word.ends_with('9') {
            upper += word.to_uppercase().len();
        }
    }
    (joined.len() * 1_000_000_000 + upper + text.len()).to_string()
}

enum Token {
    Number(i64),
    Name(String),
    Op(char),
}

fn tokens(text: &str) -> Vec<Token> {
    let text: Vec<char> = text.chars().collect();
    let run = |start: usize, belongs: fn(char) -> bool| {
        let length = text[start..].iter().take_while(|&&c| belongs(c)).count();
        (
            text[start..start + length].iter().collect::<String>(),
            start + length,
        )
    };
    let mut out = Vec::new();
    let mut i = 0;
    while i < text.len() {
        let c = text[i];
        if c == ' ' {
            i += 1;
        } else if c.is_numeric() {
            let (digits, end) = run(i, char::is_numeric);
            out.push(Token::Number(digits.parse().expect("a number")));
            i = end;
        } else if c.is_alphabetic() {
            let (name, end) = run(i, |c| c.is_alphanumeric() || c == '_');
            out.push(Token::Name(name));
            i = end;
        } else {
            out.push(Token::Op(c));
            i += 1;
        }
    }
    out
}

pub fn tokenizer() -> String {
    let line = "alpha_1 + 42 * (beta - 17) / gamma9 - delta * 1234 + (x1 - y2) * 99 ";
    let mut checksum = 0i64;
    for token in tokens(&line.repeat(black_box(3000))) {
        checksum += match token {
            Token::Number(number) => number,
            Token::Name(name) => name.len() as i64 * 7,
            Token::Op(c) => i64::from(u32::from(c)),
        };
    }
    checksum.to_string()
}
