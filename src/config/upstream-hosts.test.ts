import { expect, test } from 'bun:test';
import { mayReach } from './upstream-hosts.ts';

const INSIDE = [
  'http://127.0.0.1/v1',
  'http://127.1/v1',
  'http://0x7f000001/v1',
  'http://2130706433/v1',
  'http://[::ffff:127.0.0.1]/v1',
  'http://169.254.169.254/latest',
  'http://localhost:11434',
  'https://api.openai.com@evil.example/v1',
  'https://user:password@api.openai.com/v1',
  'https://api.openai.com.evil.example/v1',
  'https://evil.example/api.openai.com',
  'https://a.b.openai.azure.com/',
  'http://api.openai.com/v1',
  'https://api.openai.com:8443/v1',
  'https://bedrock-runtime.eu.evil.com.amazonaws.com/',
];

test.each(INSIDE)('a provider made over the API may not name %s', (url) => {
  expect(mayReach(new URL(url), [])).toBe(false);
});

test.each([
  'https://api.openai.com/v1',
  'https://generativelanguage.googleapis.com/v1beta',
  'https://me.openai.azure.com/',
  'https://bedrock-runtime.ap-northeast-1.amazonaws.com',
])('a provider made over the API may name %s', (url) => {
  expect(mayReach(new URL(url), [])).toBe(true);
});

test('the configuration may list more hosts', () => {
  expect(mayReach(new URL('http://10.0.0.7:8000/v1'), ['10.0.0.7'])).toBe(true);
  expect(mayReach(new URL('http://10.0.0.8:8000/v1'), ['10.0.0.7'])).toBe(false);
  expect(mayReach(new URL('https://llm.example.com/v1'), ['*.example.com'])).toBe(true);
  expect(mayReach(new URL('https://llm.example.com.evil/v1'), ['*.example.com'])).toBe(false);
});
