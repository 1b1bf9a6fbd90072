/** Comments that the model reads, in the file's own language. */

/** How a line of comment begins, and how it ends where the language needs that. */
type Marks = readonly [start: string, end?: string];

const SLASHES: Marks = ['//'];
const HASH: Marks = ['#'];
const DASHES: Marks = ['--'];
const SEMICOLONS: Marks = [';;'];
const PERCENT: Marks = ['%'];
const BLOCK: Marks = ['/*', '*/'];
const MARKUP: Marks = ['<!--', '-->'];
const QUOTE: Marks = ["'"];
const EXCLAMATION: Marks = ['!'];
const DOUBLE_QUOTE: Marks = ['"'];
const REM: Marks = ['REM'];
const PARENTHESES: Marks = ['(*', '*)'];

/** Endings of file names, without the dot; also whole names of files that have none. Every other language has slashes. */
const LANGUAGES: readonly (readonly [Marks, string])[] = [
  [
    HASH,
    'py pyi pyw pyx ipynb rb rake gemspec gemfile rakefile sh bash zsh fish ksh ps1 pl pm r jl ex exs nim cr tcl awk sed ' +
      'yaml yml toml ini cfg conf env properties dockerfile makefile mk cmake tf tfvars hcl nix graphql gql gitignore ' +
      'dockerignore editorconfig starlark bzl bazel build coffee elvish po',
  ],
  [DASHES, 'sql psql ddl dml lua hs lhs elm ada adb ads vhd vhdl applescript purs idr agda'],
  [SEMICOLONS, 'clj cljs cljc edn lisp lsp el scm ss rkt asm fnl'],
  [PERCENT, 'tex sty bib erl hrl prolog'],
  [BLOCK, 'css'],
  [MARKUP, 'html htm xhtml xml svg md markdown vue svelte xaml xsl xslt plist'],
  [QUOTE, 'vb vbs bas'],
  [EXCLAMATION, 'f for f77 f90 f95 f03 f08'],
  [DOUBLE_QUOTE, 'vim vimrc'],
  [REM, 'bat cmd'],
  [PARENTHESES, 'ml mli'],
];

const marksOf = new Map(LANGUAGES.flatMap(([marks, names]) => names.split(' ').map((name) => [name, marks] as const)));

/**
 * A line of comment.
 * @param text without a line break
 * @param filename of the file that the comment stands in; null for one of no known name
 */
export function commentLine(text: string, filename: string | null): string {
  const name = filename?.split(/[\\/]/).at(-1)?.toLowerCase() ?? '';
  const [start, end] = marksOf.get(name.split('.').at(-1)!) ?? SLASHES;
  return end === undefined ? `${start} ${text}` : `${start} ${text} ${end}`;
}
