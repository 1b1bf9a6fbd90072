/** Makes an API key: `npm run key -- NAME`. The key is for its user, the hash for the secret API_KEYS. */
import { createHash, randomBytes } from 'node:crypto';

const [name = 'default'] = process.argv.slice(2);
if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) {
  console.error(
    `A key's name is made of letters, digits, dots, dashes and underscores: ${JSON.stringify(name)} is not.`,
  );
  process.exit(1);
}
const key = `sk-seedling-${randomBytes(32).toString('base64url')}`;
console.log(`key:       ${key}`);
console.log(`API_KEYS:  ${name}:${createHash('sha256').update(key).digest('hex')}`);
