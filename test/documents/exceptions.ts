/** Commands of the documents that are not run, each with its reason. At most 12. */

export interface Exception {
  readonly pattern: RegExp;
  readonly reason: string;
}

export const MOST_EXCEPTIONS = 12;

export const EXCEPTIONS: readonly Exception[] = [
  { pattern: /^npm install [^-]/, reason: "It installs a client into the reader's own project." },
  {
    pattern: /^npm (install|ci) --omit=dev\b/,
    reason: 'It would remove the development packages that the other runs need.',
  },
  { pattern: /^npm install --package-lock-only\b/, reason: 'It would write the newest versions into a lock.' },
  { pattern: /^python3? -m recipe\.train$/, reason: 'The document names it as the old spelling, which is gone.' },
  { pattern: /^npx wrangler (login|secret put|r2 bucket create)\b/, reason: 'It changes an account at Cloudflare.' },
  {
    pattern: /^npm run convert -- hf:/,
    reason: 'It needs a repository on the Hugging Face Hub; test/convert/hub runs it against a local server.',
  },
];
