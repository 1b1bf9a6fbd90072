"""Short texts in many languages, of people and of programs, for `python -m recipe tokenizer-cases`."""

TEXTS = {
    "typescript": "export const sum = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0); // Σ\n\tlet día = `t${1_000}`;\r\n",
    "python": 'def area(r: float) -> float:\n    """Fläche πr²"""\n    '
    'return 3.14159 * r ** 2  # ½ of 2πr²\n\n\n\tprint(f"{area(2):.2f}")\n',
    "rust": 'fn main() {\n    let v: Vec<u8> = b"\\x00\\xff".to_vec();\n    println!("{:?} {}", v, \'é\');\n}\n',
    "go": 'package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Println("héllo, 世界", 0x1F600)\n}\n',
    "sql": "SELECT name, COUNT(*) AS n FROM users WHERE city = 'Zürich' AND age >= 18 GROUP BY name HAVING n > 10;\n",
    "html": '<p class="x">1&nbsp;234,5&euro; &lt; 2&thinsp;000 …</p>\n<!-- ← → -->\n',
    "shell": 'for f in *.txt; do\n  [[ -s "$f" ]] && printf \'%s\\t%d\\n\' "$f" "$(wc -l <"$f")"\ndone\n',
    "haskell": "fib :: Int -> Integer\nfib n = go n 0 1 where go 0 a _ = a; go k a b = go (k-1) b (a+b) -- ∀ n ≥ 0\n",
    "markdown": "# Título\n\n* uno\n* **dos** — “tres”\n\n| a | b |\n|---|--:|\n| ½ | ¾ |\n",
    "german": "Füße, Größe, Äpfel; „Anführung“ – 12.345,67 €. Straße STRASSE straẞe.\n",
    "french": "L’été dernier, où étais‑tu ? « Ça va ? » C'est l'œuvre d'un garçon naïf. 3ᵉ n° 5\n",
    "russian": "Съешь ещё этих мягких французских булок, да выпей чаю. № 7, 1\u00a0234 ₽\n",
    "greek": "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Οδυσσεύς; αʹ βʹ ͵α\n",
    "arabic": "نص حكيم له سر قاطع وذو شأن عظيم ٠١٢٣٤٥٦٧٨٩ ، ؛ ؟ ﷽\n",
    "hebrew": "עטלף אבק נס דרך מזגן שהתפוצץ כי חם. שָׁלוֹם ״מ״מ״\n",
    "hindi": "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का ०१२३ क़ ड़ ॥\n",
    "thai": "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า ๐๑๒๓ กำ น้ำ\n",
    "chinese": "视野无限广，窗外有蓝天。第十二章（三）２０２６年〇五月㊗️ 𠮷野家\n",
    "japanese": "いろはにほへと　ちりぬるを。ガ ガ ﾊﾟ ㌔ ㈱ 々〆\n",
    "korean": "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다. 한글 ㈎ ㅏ\n",
    "vietnamese": "Tiếng Việt: ngoằn ngoèo, Trường Sa, e\u0302\u0301 o\u031b\u0323 ữ ự\n",
    "turkish": "İstanbul’da ığdır ılık ŞĞ; dotless ı, dotted i̇\n",
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪🇫🇷 1️⃣ ™️ ☺︎ \u200d\u200b\u2060\ufeff\n",
    "spaces": "a\u0085b\u00a0c\u1680d\u2000e\u2009f\u2028g\u2029h\u202fi\u205fj\u3000k\u180el\u200bm\x0bn\x0co\x1cp\x1fq\x00r\n",
    "numbers": "² ³ ¹ ¼ ½ ¾ ٣ ۳ ३ ௧ ൫ 五 Ⅳ ⅷ ↀ ① ⑳ ⓪ ㉑ ㊿ 𝟘 𝟙 🄀 🯰 𐄇 𒐀 1² x² 10⁻³\n",
    "apostrophes": "I'm you're he'S we'LL they'Ve I'D can't 'tis 'ſ 'K ’s rock'n'roll it'sfine 'REALLY'\n",
}
"""By name. Ends of lines, white space and numerals of many kinds are on purpose."""
