import { expect, test } from 'vitest';
import { fakeApp } from '../../support/hosts/fake-app.ts';

test('answers name the runtime once the model is loaded, errors and streams too', async () => {
  const { ask, post } = fakeApp();
  expect((await post({ prompt: 'one' })).headers.get('x-seedling-runtime')).toBe('scalar');
  expect((await post({ prompt: 'one', stream: true })).headers.get('x-seedling-runtime')).toBe('scalar');
  expect((await post({ prompt: 1 })).headers.get('x-seedling-runtime')).toBe('scalar');
  expect((await ask('/health')).headers.get('x-seedling-runtime')).toBe('scalar');
});
