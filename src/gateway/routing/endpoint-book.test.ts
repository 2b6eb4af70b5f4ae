import { describe, expect, test } from 'bun:test';
import { createManualTime } from '../../../test/support/manual-time.ts';
import type { Endpoint } from '../../ports/endpoint-source.ts';
import type { ProviderEntry } from '../catalogue.ts';
import { createEndpointBook } from './endpoint-book.ts';

const REFRESH_MS = 1_000;

/** A fleet whose places a test sets; an error is thrown. */
function createFleet(name: string, places: Endpoint[] | Error) {
  const told = { places, asked: 0, made: 0 };
  const entry: ProviderEntry = {
    provider: { name, wire: 'openai' },
    models: () => [],
    priceOf: () => undefined,
    trusted: true,
    fleet: {
      source: {
        refreshMs: REFRESH_MS,
        find: () => {
          told.asked++;
          return told.places instanceof Error ? Promise.reject(told.places) : Promise.resolve(told.places);
        },
      },
      at: () => {
        told.made++;
        return { name, wire: 'openai' };
      },
    },
  };
  return { entry, told };
}

function createStage() {
  const time = createManualTime();
  const stop = new AbortController();
  const changes: string[] = [];
  const problems: string[] = [];
  const book = createEndpointBook({
    sleep: time.sleep,
    random: () => 0.5,
    signal: stop.signal,
    onChange: ({ provider, origins }) => changes.push(`${provider}: ${origins.join(' ')}`),
    onProblem: (provider) => problems.push(provider),
  });
  const origins = (entry: ProviderEntry) => book.instancesOf(entry)?.map(({ origin }) => origin);
  return { time, stop, changes, problems, book, origins };
}

const at = (...origins: string[]): Endpoint[] => origins.map((origin) => ({ origin, weight: 1 }));

describe('places of a fleet', () => {
  test('are known once their source was asked, and followed from then on', async () => {
    const { time, book, origins, changes } = createStage();
    const { entry, told } = createFleet('one', at('http://b', 'http://a'));
    book.follow([entry]);
    expect(origins(entry)).toEqual([]);
    await book.ready();
    expect(origins(entry)).toEqual(['http://a', 'http://b']);
    const { revision } = book;
    await time.pass(REFRESH_MS);
    expect(told.asked).toBe(2);
    expect(book.revision).toBe(revision);
    told.places = at('http://a', 'http://c');
    await time.pass(REFRESH_MS);
    expect(origins(entry)).toEqual(['http://a', 'http://c']);
    expect(book.revision).toBe(revision + 1);
    expect(changes).toEqual(['one: http://a http://b', 'one: http://a http://c']);
  });

  test('that stay keep their provider', async () => {
    const { time, book } = createStage();
    const { entry, told } = createFleet('one', at('http://a', 'http://b'));
    book.follow([entry]);
    await book.ready();
    const before = book.instancesOf(entry)?.[0]?.provider;
    told.places = at('http://a');
    await time.pass(REFRESH_MS);
    expect(book.instancesOf(entry)?.[0]?.provider).toBe(before ?? entry.provider);
    expect(told.made).toBe(2);
  });

  test.each([
    ['fails', new Error('down')],
    ['names none', []],
  ])('stay as they were known while the source %s', async (_, places) => {
    const { time, book, origins, problems } = createStage();
    const { entry, told } = createFleet('one', at('http://a'));
    book.follow([entry]);
    await book.ready();
    told.places = places;
    await time.pass(REFRESH_MS);
    expect(origins(entry)).toEqual(['http://a']);
    expect(problems).toEqual(['one']);
    told.places = at('http://b');
    await time.pass(REFRESH_MS);
    expect(origins(entry)).toEqual(['http://b']);
  });

  test('are forgotten with their provider, and its source is asked no more', async () => {
    const { time, book, origins } = createStage();
    const one = createFleet('one', at('http://a'));
    const two = createFleet('two', at('http://b'));
    book.follow([one.entry, two.entry]);
    await book.ready();
    book.follow([two.entry]);
    await time.pass(3 * REFRESH_MS);
    expect(one.told.asked).toBe(1);
    expect(two.told.asked).toBe(4);
    expect(origins(one.entry)).toEqual([]);
  });

  test('are not asked for after the end', async () => {
    const { time, book, stop } = createStage();
    const { entry, told } = createFleet('one', at('http://a'));
    book.follow([entry]);
    await book.ready();
    stop.abort();
    await time.pass(5 * REFRESH_MS);
    book.follow([entry]);
    expect(told.asked).toBe(1);
  });

  test('are waited for at a start no longer than two seconds', async () => {
    const { time, book } = createStage();
    const { entry } = createFleet('one', at('http://a'));
    const { fleet } = entry;
    if (fleet === undefined) throw new Error('A fleet has a source.');
    fleet.source.find = () => new Promise(() => undefined);
    book.follow([entry]);
    const ready = book.ready().then(() => 'ready');
    await time.pass(1_999);
    expect(await Promise.race([ready, Promise.resolve('waits')])).toBe('waits');
    await time.pass(1);
    expect(await ready).toBe('ready');
  });

  test('beyond a bound are left out, and each place counts once', async () => {
    const { book, origins } = createStage();
    const { entry } = createFleet('one', at(...Array.from({ length: 600 }, (_, index) => `http://h${index % 300}`)));
    book.follow([entry]);
    await book.ready();
    expect(origins(entry)).toHaveLength(256);
  });
});

test('a provider without a fleet has no places', () => {
  const { book } = createStage();
  const { entry } = createFleet('one', []);
  const { fleet: _, ...plain } = entry;
  book.follow([plain]);
  expect(book.instancesOf(plain)).toBeUndefined();
});
