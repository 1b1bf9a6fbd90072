/**
 * Adds up the test reports, prints the skipped tests, and ends with `N passed, N failed`. Each of the documents' commands
 * is a test.
 *
 * A failure without a failed test counts as one: a broken step, a file that did not load, a runner that stopped early, a
 * report without tests.
 */
import { readFileSync } from 'node:fs';

const [reports, vitestStatus, slowStatus, clientsStatus, pytestStatus, documentsStatus, ...brokenSteps] =
  process.argv.slice(2);

function read(file) {
  try {
    return readFileSync(`${reports}/${file}`, 'utf8');
  } catch {
    return null;
  }
}

function countVitest(json) {
  const counts = { passed: 0, failed: 0, skipped: [] };
  for (const file of JSON.parse(json).testResults) {
    let failed = 0;
    for (const test of file.assertionResults) {
      if (test.status === 'passed') counts.passed++;
      else if (test.status === 'failed') failed++;
      else counts.skipped.push(`${file.name}: ${test.fullName.trim()}`);
    }
    counts.failed += file.status === 'failed' ? Math.max(1, failed) : failed;
  }
  return counts;
}

function countPytest(xml) {
  const suite = /<testsuite [^>]*>/.exec(xml)?.[0] ?? '';
  const number = (name) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suite)?.[1] ?? Number.NaN);
  const failed = number('failures') + number('errors');
  const skipped = [...xml.matchAll(/<skipped [^>]*message="([^"]*)"/g)].map((match) => `pytest: ${match[1]}`);
  return { passed: number('tests') - failed - number('skipped'), failed, skipped };
}

function count(name, report, status, counter) {
  const counts = report === null ? { passed: 0, failed: 0, skipped: [] } : counter(report);
  const wrong = Number.isNaN(counts.passed + counts.failed) || (counts.passed === 0 && counts.failed === 0);
  if (wrong) console.log(`FAILED: ${name} reported no test`);
  if (status !== '0' && counts.failed === 0) console.log(`FAILED: ${name} ended with status ${status}`);
  return wrong || (status !== '0' && counts.failed === 0)
    ? { passed: counts.passed || 0, failed: 1, skipped: counts.skipped }
    : counts;
}

const all = [
  count('vitest', read('vitest.json'), vitestStatus, countVitest),
  count('vitest, slow', read('slow.json'), slowStatus, countVitest),
  count('clients', read('clients.json'), clientsStatus, countVitest),
  count('pytest', read('pytest.xml'), pytestStatus, countPytest),
  count("documents' commands", read('documents.json'), documentsStatus, countVitest),
];
const passed = all.reduce((sum, counts) => sum + counts.passed, 0);
const failed = all.reduce((sum, counts) => sum + counts.failed, brokenSteps.length);
for (const name of all.flatMap((counts) => counts.skipped)) console.log(`skipped: ${name}`);
for (const step of brokenSteps) console.log(`failed step: ${step}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
