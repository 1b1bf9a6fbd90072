/** Beginnings of code that repeats itself, and of tests: where a text says again what it has said. For the bench. */

export const REPETITIVE: readonly string[] = [
  `export class User {
  #name;
  #email;
  #age;
  #city;

  get name() {
    return this.#name;
  }

  set name(value) {
    this.#name = value;
  }

  get email() {
`,
  `function toRow(order) {
  return {
    id: String(order.id),
    customer: String(order.customer),
    amount: String(order.amount),
    currency: String(order.currency),
  };
}

function fromRow(row) {
  return {
    id:`,
  `const HTTP_STATUS = {
  200: { code: 200, name: 'OK', isError: false },
  201: { code: 201, name: 'Created', isError: false },
  204: { code: 204, name: 'No Content', isError: false },
  400: { code: 400, name: 'Bad Request', isError: true },
`,
  `switch (event.type) {
  case 'created':
    await handleCreated(event.payload);
    logger.info('handled created event', { id: event.id });
    break;
  case 'updated':
    await handleUpdated(event.payload);
    logger.info('handled updated event', { id: event.id });
    break;
  case 'deleted':
`,
  `INSERT INTO products (id, name, price, stock) VALUES (1, 'Keyboard', 49.99, 120);
INSERT INTO products (id, name, price, stock) VALUES (2, 'Mouse', 19.99, 300);
INSERT INTO products (id, name, price, stock) VALUES (3, 'Monitor', 189.00, 45);
`,
  `class Config:
    def __init__(self, values):
        self.values = values

    def get_host(self, default=None):
        return self.values.get("host", default)

    def get_port(self, default=None):
        return self.values.get("port", default)

    def get_user(self, default=None):
`,
];

export const TESTS: readonly string[] = [
  `import { describe, expect, it } from 'vitest';
import { slugify } from './slugify';

describe('slugify', () => {
  it('lowers the case', () => {
    expect(slugify('Hello')).toBe('hello');
  });

  it('replaces spaces', () => {
    expect(slugify('hello world')).toBe('hello-world');
  });

  it('`,
  `import pytest
from calculator import add, subtract, multiply, divide


def test_add():
    assert add(1, 2) == 3
    assert add(-1, 1) == 0
    assert add(0, 0) == 0


def test_subtract():
`,
  `const assert = require('node:assert');
const { Stack } = require('./stack');

test('push adds an item', () => {
  const stack = new Stack();
  stack.push(1);
  assert.strictEqual(stack.size, 1);
});

test('pop removes the last item', () => {
  const stack = new Stack();
`,
  `class TestParseDate(unittest.TestCase):
    def test_full_date(self):
        self.assertEqual(parse_date("2024-01-31"), date(2024, 1, 31))

    def test_month_only(self):
        self.assertEqual(parse_date("2024-02"), date(2024, 2, 1))

    def test_`,
  `func TestClamp(t *testing.T) {
	tests := []struct {
		name  string
		value int
		low   int
		high  int
		want  int
	}{
		{name: "inside", value: 5, low: 0, high: 10, want: 5},
		{name: "below", value: -5, low: 0, high: 10, want: 0},
`,
  `describe('GET /users/:id', () => {
  it('answers 200 with the user', async () => {
    const response = await request(app).get('/users/1');
    expect(response.status).toBe(200);
    expect(response.body.id).toBe(1);
  });

  it('answers 404 for an unknown user', async () => {
`,
];
