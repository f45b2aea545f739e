use proptest::prelude::*;

use super::*;

/// What is measured of the functions of a text: name, ways, nesting, parameters.
fn measured(language: Language, text: &str) -> Vec<(String, u32, u32, u32)> {
    let mut functions = read(language, text).unwrap().functions;
    functions.sort_by_key(|function| function.line);
    let told = |f: Function| (f.path(), f.complexity, f.nesting, f.parameters);
    functions.into_iter().map(told).collect()
}

fn one(language: Language, text: &str) -> (String, u32, u32, u32) {
    measured(language, text).remove(0)
}

fn is(name: &str, ways: u32, nesting: u32, parameters: u32) -> (String, u32, u32, u32) {
    (name.to_owned(), ways, nesting, parameters)
}

#[test]
fn rust() {
    let text = "impl T {\n    fn f(&self, a: u8, b: &[u8]) -> Option<u8> {\n        // noqa: if\n        if a > 1 && b.is_empty() { return None; } else if a > 2 { loop { break; } }\n        let Some(x) = b.first() else { return None };\n        for y in b { while *y > 1 { match y { 1 => {} 2 if a > 1 => {} _ => {} } } }\n        g()?;\n        Some(*x)\n    }\n}\n";
    // if, &&, else if, let-else, for, while, two further arms, a guard.
    assert_eq!(one(Language::Rust, text), is("T::f", 10, 3, 2));
    assert_eq!(
        read(Language::Rust, text).unwrap().functions[0].unmeasured.tries,
        1
    );
}

#[test]
fn rust_inside_macros_is_measured() {
    let text = "fn f() {\n    select! { a = x => { if a && b { } } c = y => {} }\n}\n";
    assert_eq!(one(Language::Rust, text), is("f", 4, 0, 0));
    let hidden = "cfg_rt! {\n    /// A.\n    pub fn hidden(a: u8) { if a > 1 {} }\n}\n";
    assert_eq!(one(Language::Rust, hidden), is("hidden", 2, 1, 1));
    let item = &read(Language::Rust, hidden).unwrap().items[0];
    assert!(item.documented && item.line == 3);
}

#[test]
fn python() {
    let text = "class A:\n    def f(self, a, *b, c=1, **d):\n        if a and b or c:  # noqa: C901\n            for x in [y for y in b if y]:\n                pass\n        elif d:\n            try:\n                g()\n            except E:\n                pass\n            finally:\n                pass\n        match a:\n            case 1:\n                pass\n            case _:\n                pass\n        return 1 if a else 2\n";
    // if, and, or, for, comprehension for and if, elif, except, case, conditional.
    assert_eq!(one(Language::Python, text), is("A::f", 11, 2, 4));
    let nested = "def outer():\n    def inner(a):\n        if a:\n            pass\n    return inner\n";
    assert_eq!(
        measured(Language::Python, nested),
        [is("outer", 1, 0, 0), is("inner", 2, 1, 1)]
    );
}

#[test]
fn c_and_cpp() {
    let text = "static int\nf(int a, char *b)\n{\n  if (a && b) { for (;;) { if (a) break; } } else if (!a) goto end;\n  switch (a) { case 1: case 2: break; default: break; }\n  do { a--; } while (a > 0);\nend:\n  return a ? 1 : 0;\n}\nint g(void) { return 0; }\n";
    assert_eq!(measured(Language::C, text), [is("f", 10, 3, 2), is("g", 1, 0, 0)]);
    let module = read(Language::C, text).unwrap();
    assert_eq!(
        (
            module.functions[0].endless.as_slice(),
            module.functions[0].gotos.as_slice()
        ),
        ([4].as_slice(), [4].as_slice())
    );
    let text = "namespace n { class A { public: int f(int a) const { try { return a or 1; } catch (...) { return 0; } } }; }\nint A::g(int x, int y) { for (auto z : v) {} return x; }\n";
    assert_eq!(
        measured(Language::Cpp, text),
        [is("A::f", 3, 1, 1), is("A::g", 2, 1, 2)]
    );
}

#[test]
fn scripts() {
    let text = "export function f(a, {b, c}, ...d) {\n  if (a ?? b) { return a ? 1 : 2 }\n  const g = (x) => x && x.y\n  for (const k in a) { switch (k) { case 1: break; default: } }\n  try {} catch (e) {}\n}\n";
    let expected = [is("f", 7, 2, 3), is("g", 2, 0, 1)];
    for language in [Language::JavaScript, Language::TypeScript, Language::Tsx] {
        assert_eq!(measured(language, text), expected, "{language:?}");
    }
    let class = "class A { #p = () => { if (x) {} }; m(a?: string): void { while (a) {} } }";
    assert_eq!(measured(Language::TypeScript, class)[1].0, "A::m");
}

#[test]
fn defaults_are_no_ways_and_are_told_apart() {
    let both = "function f(a = 1, {b = 2}, c) { const [d = 3] = a; return d }";
    let typed = "class A { constructor(private a: number = 1, b?: A, c = 2) {} }";
    for (language, text, defaults) in [
        (Language::JavaScript, both, 3),
        (Language::TypeScript, both, 3),
        (Language::TypeScript, typed, 2),
    ] {
        let functions = read(language, text).unwrap().functions;
        let told = (functions[0].complexity, functions[0].unmeasured.defaults);
        assert_eq!(told, (1, defaults), "{language:?} {text}");
    }
}

#[test]
fn go() {
    let text = "package a\nfunc (s *Server[T]) F(a, b int, c ...string) error {\n\tif a > 0 && b > 0 {\n\t\treturn nil\n\t} else if a < 0 {\n\t\tfor {\n\t\t}\n\t}\n\tselect {\n\tcase <-s.c:\n\tdefault:\n\t}\n\tgo func() { for i := range c { _ = i } }()\n\treturn nil\n}\n";
    assert_eq!(
        measured(Language::Go, text),
        [is("Server::F", 6, 2, 3), is("(anonymous)", 2, 1, 0)]
    );
}

#[test]
fn java() {
    let text = "public class A {\n  int f(int a, String... b) {\n    if (a > 0 || b == null) { for (String s : b) {} } else if (a < 0) { while (true) {} }\n    switch (a) { case 1: break; case 2: break; default: }\n    try {} catch (E e) {} finally {}\n    return a > 1 ? 1 : 2;\n  }\n}\n";
    assert_eq!(one(Language::Java, text), is("A::f", 10, 2, 2));
}

#[test]
fn what_is_public_and_documented() {
    let undocumented = |language, text: &str| -> Vec<String> {
        let items = read(language, text).unwrap().items.into_iter();
        items
            .filter(|item| !item.documented)
            .map(|item| item.name)
            .collect()
    };
    let rust = "/// A.\n#[derive(Debug)]\npub struct A;\n// b\npub fn b() {}\npub(crate) fn c() {}\n#[doc = \"d\"]\npub fn d() {}\nmod t { pub fn e() {} }\npub trait T { fn f(); }\nimpl T for A { fn f() {} }\n/// Cut off.\n\npub fn g() {}\n";
    assert_eq!(undocumented(Language::Rust, rust), ["b", "T", "f", "g"]);
    let python = "def a():\n    '''A.'''\ndef b():\n    pass\ndef _c(): pass\nclass D:\n    'D.'\n    def e(self):\n        def f(): pass\n    @e.setter\n    def e(self, x): pass\n";
    assert_eq!(undocumented(Language::Python, python), ["b", "e"]);
    let go = "package a\n\n// A is.\nfunc A() {}\n\nfunc B() {}\nfunc c() {}\n\n// D is.\ntype D struct{}\ntype E int\nfunc (d D) F() {}\nfunc (d d) G() {}\n";
    assert_eq!(undocumented(Language::Go, go), ["B", "E", "F"]);
    let java = "/** A. */\npublic class A {\n  public void b() {}\n  /** C. */\n  @Deprecated\n  public void c() {}\n  @Override\n  public void d() {}\n  void e() {}\n}\n";
    assert_eq!(undocumented(Language::Java, java), ["b"]);
    let script = "/** A. */\nexport function a() {}\nexport const b = () => 1\nfunction c() {}\n// D.\nexport class D { m() {} constructor() {} #p() {} }\n";
    assert_eq!(undocumented(Language::JavaScript, script), ["b", "D", "m"]);
    assert_eq!(undocumented(Language::TypeScript, script), ["b", "D", "m"]);
    let c = "/* a */\nint a(void) { return 0; }\nint b(void);\nstatic int c(void) { return 0; }\nint x; /* x */\nint d(void) { return 0; }\n/* e */\ntypedef struct { int a; } e;\n";
    assert_eq!(undocumented(Language::C, c), ["b", "d"]);
}

#[test]
fn calls_tell_through_what() {
    let text = "fn f() { g(); self.h(); Self::i(); A::j::<u8>(); let _ = k(); a.b().ok(); }";
    let calls = &read(Language::Rust, text).unwrap().functions[0].calls;
    let told: Vec<_> = calls
        .iter()
        .map(|call| (call.name.as_str(), &call.receiver, call.alone, call.discarded))
        .collect();
    let named = |name: &str| Receiver::Named(name.into());
    assert!(told.contains(&("g", &Receiver::None, true, false)));
    assert!(told.contains(&("h", &Receiver::Own, true, false)));
    assert!(told.contains(&("i", &Receiver::Own, true, false)));
    assert!(told.contains(&("j", &named("A"), true, false)));
    assert!(told.contains(&("k", &Receiver::None, false, true)));
}

#[test]
fn p8_deep_and_large_texts_are_bounded() {
    let deep = format!("fn f() {{ {} }}", "if a {".repeat(20_000));
    let _ = read(Language::Rust, &deep);
    let wide = format!("int f() {{ return {}1; }}", "(".repeat(100_000));
    let _ = read(Language::C, &wide);
    let large = "x".repeat(MOST_BYTES + 1);
    assert!(matches!(
        read(Language::Python, &large),
        Err(NotMeasured::TooLarge { .. })
    ));
}

const PIECES: &str = "(fn |def |class |if|else|\\{|\\}|\\(|\\)|:|\n|    |\"|'|#|//|/\\*|=>|match |case |&&|x|é|\0|<|>|;|pub |func |async |template<|@|`|\\$\\{){0,80}";

proptest! {
    #[test]
    fn p8_no_text_makes_a_panic(text in PIECES, which in 0_usize..9) {
        let _ = read(Language::ALL[which], &text);
    }

    #[test]
    fn p8_no_bytes_make_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), which in 0_usize..9) {
        let _ = read(Language::ALL[which], &String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn lines_are_in_the_text(text in PIECES, which in 0_usize..9) {
        let lines = u32::try_from(text.split('\n').count()).unwrap();
        for function in read(Language::ALL[which], &text).unwrap().functions {
            prop_assert!(function.line >= 1 && function.line <= function.end && function.end <= lines);
            prop_assert!(text.get(function.from..function.to).is_some());
        }
    }
}
