import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKeys } from '../../../src/access/keys.ts';
import { accessMigrations } from '../../../src/access/schema.ts';
import { createLedger, type Ledger } from '../../../src/gateway/ledger.ts';
import { exportLedger } from '../../../src/gateway/ledger-export.ts';
import { createLedgerWriter } from '../../../src/gateway/ledger-writer.ts';
import { gatewayMigrations } from '../../../src/gateway/schema.ts';
import { createManagedSettings, governanceMigrations } from '../../../src/governance/managed-settings.ts';
import { createIdempotencyStore } from '../../../src/http/idempotency/idempotency-store.ts';
import { idempotencyMigrations } from '../../../src/http/idempotency/schema.ts';
import { migrate } from '../../../src/migrate.ts';
import type { Database } from '../../../src/ports/database.ts';
import { createCollections } from '../../../src/rag/collections.ts';
import { createDocuments, type PendingDocument } from '../../../src/rag/documents.ts';
import { ragMigrations } from '../../../src/rag/schema.ts';
import { createIndexVersions } from '../../../src/rag/versions/index-versions.ts';
import { defaultCollectionSettings } from '../../../src/spec/collection.ts';
import { DEFAULT_TENANT } from '../../../src/spec/ids.ts';
import type { LedgerEntry } from '../../../src/spec/ledger.ts';
import { noUsage } from '../../../src/spec/usage.ts';
import { createFileJournal } from '../../../src/stores/filesystem/file-journal.ts';
import type { DatabaseFixture } from './database.contract.ts';

const NOON = Date.parse('2026-11-20T12:00:00Z');
const DAY_MS = 86_400_000;
const BY = 'key_admin';

/** Whatever keeps its state in the database, as two replicas on one see it. */
export function roomsContract(name: string, make: () => Promise<DatabaseFixture>): void {
  describe(`what keeps its state in the database: ${name}`, () => {
    let fixture: DatabaseFixture;
    let databases: [Database, Database];
    let nowMs = NOON;
    const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
    beforeAll(async () => {
      fixture = await make();
      databases = [fixture.database, fixture.other];
      const steps = [
        ...accessMigrations,
        ...gatewayMigrations,
        ...governanceMigrations,
        ...idempotencyMigrations,
        ...ragMigrations,
      ];
      await Promise.all(databases.map((each) => migrate(each, steps)));
    });
    afterAll(async () => {
      await fixture.other.close();
      await fixture.stop();
    });

    test('keys: made, changed, rotated and revoked here is so there within a second', async () => {
      const [here, there] = databases.map((database) => createKeys({ database, clock }));
      if (here === undefined || there === undefined) throw new Error('Nothing was made.');
      const made = await here.create({
        tenantId: DEFAULT_TENANT,
        name: '鍵 "one"',
        role: 'member',
        allowedRoutes: ['fast'],
        limits: { requestsPerMinute: 3 },
        team: 'search',
        tags: ['a', 'b'],
        expiresMs: nowMs + DAY_MS,
      });
      const { id } = made.record;
      expect(await there.find(DEFAULT_TENANT, id)).toEqual(made.record);
      expect(await there.list(DEFAULT_TENANT)).toEqual([made.record]);
      const secret = made.secret.reveal();
      expect(await there.authenticate(secret)).toMatchObject({ keyId: id, limits: { requestsPerMinute: 3 } });
      expect(await here.update(DEFAULT_TENANT, id, { team: null, expiresMs: null })).toMatchObject({ team: null });
      nowMs += 1_001;
      expect(await there.authenticate(secret)).not.toHaveProperty('team');
      const rotated = await here.rotate(DEFAULT_TENANT, id);
      nowMs += 1_001;
      await expect(there.authenticate(secret)).rejects.toMatchObject({ code: 'invalid_key' });
      expect(await there.authenticate(rotated?.secret.reveal() ?? '')).toMatchObject({ keyId: id });
      expect(await there.revoke(DEFAULT_TENANT, id)).toBe(true);
      expect(await there.revoke(DEFAULT_TENANT, id)).toBe(false);
      await expect(here.authenticate(rotated?.secret.reveal() ?? '')).rejects.toMatchObject({ code: 'invalid_key' });
      expect(await here.update(DEFAULT_TENANT, id, { name: 'x' })).toBeUndefined();
    });

    describe('ledger', () => {
      let folder: string;
      let ledgers: Ledger[];
      let close: () => Promise<unknown>;
      beforeAll(() => {
        folder = mkdtempSync(join(tmpdir(), 'sekisho-rooms-'));
        const writers = databases.map((database, at) =>
          createLedgerWriter({ database, journal: createFileJournal({ folder: join(folder, String(at)) }) }),
        );
        ledgers = writers.map((writer, at) => createLedger(databases[at] ?? fixture.database, writer));
        close = () => Promise.all(writers.map((writer) => writer.close()));
      });
      afterAll(async () => {
        await close();
        rmSync(folder, { recursive: true });
      });
      let count = 0;
      const entry = (given: Partial<LedgerEntry> = {}): LedgerEntry => ({
        id: `led_${String(++count).padStart(8, '0')}`,
        requestId: `req_${count}`,
        tenantId: 'ten_a',
        keyId: 'key_a',
        atMs: NOON,
        operation: 'chat',
        route: 'fast',
        target: 'up/gpt',
        wire: 'openai',
        upstreamModel: 'gpt',
        usage: { ...noUsage('reported'), inputTokens: 100, outputTokens: 10 },
        costMicros: 10,
        outcome: 'ok',
        attempts: 1,
        streamed: false,
        durationMs: 12,
        ...given,
      });
      const always = { tenantId: 'ten_a', fromMs: 0, toMs: Number.MAX_SAFE_INTEGER } as const;

      test('entries of all shapes come back from either replica as they were written', async () => {
        const written = [
          entry(),
          entry({
            endUser: 'アン',
            team: 'search',
            tags: ['env=prod'],
            cache: 'hit',
            traceId: 'abc',
            firstByteMs: 0.1,
          }),
          entry({ costMicros: null, errorCode: 'upstream_timeout', outcome: 'error', streamed: true, durationMs: 1.5 }),
          entry({ usage: { ...noUsage(), searchUnits: 5, audioInputTokens: 2 ** 40 } }),
          ...Array.from({ length: 60 }, (_, at) => entry(at % 2 ? { firstByteMs: at / 7 } : { endUser: `u${at}` })),
        ];
        await Promise.all(written.map((each, at) => ledgers[at % 2]?.append(each)));
        for (const ledger of ledgers) await ledger.page({ ...always, limit: 1 });
        for (const ledger of ledgers) expect(await ledger.page({ ...always, limit: 100 })).toEqual(written);
      });

      test('sums, groups, days and pages', async () => {
        const later = { tenantId: 'ten_b' as const, atMs: NOON + DAY_MS };
        const [ledger] = ledgers;
        if (ledger === undefined) throw new Error('There is no ledger.');
        await Promise.all([
          ledger.append(entry({ ...later, costMicros: 2 ** 33, target: 'up/b' })),
          ledger.append(entry({ ...later, atMs: NOON, costMicros: 1, keyId: 'key_b', cache: 'hit' })),
          ledger.append(entry({ ...later, costMicros: null, outcome: 'error', keyId: 'key_b' })),
        ]);
        expect(await ledger.spentMicros({ tenantId: 'ten_b' }, 0)).toBe(2 ** 33 + 1);
        expect(await ledger.spentMicros({ tenantId: 'ten_b', keyId: 'key_b' }, NOON + 1)).toBe(0);
        expect(await ledger.spentMicros({ target: 'up/b' }, 0)).toBe(2 ** 33);
        const usage = await ledger.usage({ ...always, tenantId: 'ten_b', by: ['day', 'key'] });
        expect(
          usage.map(({ group, requests, failed, cacheHits, costMicros, unpriced, inputTokens }) => [
            ...group,
            requests,
            failed,
            cacheHits,
            costMicros,
            unpriced,
            inputTokens,
          ]),
        ).toEqual([
          ['2026-11-20', 'key_b', 1, 0, 1, 1, 0, 100],
          ['2026-11-21', 'key_a', 1, 0, 0, 2 ** 33, 0, 100],
          ['2026-11-21', 'key_b', 1, 1, 0, 0, 1, 100],
        ]);
        for (const by of ['tenant', 'team', 'user', 'route', 'target', 'model'] as const) {
          const rows = await ledger.usage({ ...always, tenantId: 'ten_b', by: [by] });
          expect(rows.reduce((sum, { requests }) => sum + requests, 0)).toBe(3);
        }
        let text = '';
        for await (const piece of exportLedger(ledger, { ...always, tenantId: 'ten_b', format: 'csv' })) text += piece;
        expect(text.trim().split('\r\n')).toHaveLength(4);
      });

      test('pages leave out none and give none twice, within one millisecond too', async () => {
        const [ledger] = ledgers;
        const many = Array.from({ length: 130 }, (_, at) => entry({ tenantId: 'ten_c', atMs: NOON + (at % 3) }));
        await Promise.all(many.map((each) => ledger?.append(each)));
        const seen: string[] = [];
        for (let after: LedgerEntry | undefined; ;) {
          const page = await ledger?.page({ ...always, tenantId: 'ten_c', ...(after && { after }), limit: 7 });
          seen.push(...(page ?? []).map(({ id }) => id));
          after = page?.at(-1);
          if (after === undefined) break;
        }
        expect(seen).toHaveLength(130);
        expect(new Set(seen)).toEqual(new Set(many.map(({ id }) => id)));
      });
    });

    test('managed settings: many written by both at once are all there, and both agree', async () => {
      const both = databases.map((database) =>
        createManagedSettings({ database, clock, pollMs: 60_000, onStale: () => undefined }),
      );
      await Promise.all(
        Array.from({ length: 60 }, (_, at) =>
          both[at % 2]?.put({ kind: 'route', name: `r${at % 40}`, value: { at }, sealed: 's' }, BY),
        ),
      );
      await both[0]?.remove('route', 'r0', BY);
      for (const each of both) await each.refresh();
      const shown = both.map((each) =>
        each.all().map(({ name, value, sealed, revision }) => ({ name, value, sealed, revision })),
      );
      expect(shown[0]).toHaveLength(39);
      expect(shown[1]).toEqual(shown[0] ?? []);
      for (const each of both) each.close();
    });

    test('idempotency: of many on both one has the key; the others get its answer', async () => {
      const both = databases.map((database) =>
        createIdempotencyStore({ database, clock, every: () => ({ stop: () => undefined }) }),
      );
      const scope = { tenantId: 'ten_a', keyId: 'key_a', idempotencyKey: 'k' } as const;
      const claim = (hash: string, at: number) => both[at % 2]?.claim(scope, hash);
      const outcomes = await Promise.all(Array.from({ length: 40 }, (_, at) => claim('h', at)));
      const claimed = outcomes.find((outcome) => outcome?.state === 'claimed');
      expect(outcomes.filter((outcome) => outcome?.state === 'in-progress')).toHaveLength(39);
      if (claimed?.state !== 'claimed') throw new Error('Nobody has it.');
      const answer = { status: 200, headers: { 'content-type': 'application/json' }, body: '{"答":1}' };
      await both[0]?.keep(claimed.claimId, answer);
      expect(await claim('h', 1)).toEqual({ state: 'answered', answer });
      expect(await claim('other', 1)).toEqual({ state: 'mismatch' });
      nowMs += DAY_MS;
      expect(await claim('h', 1)).toMatchObject({ state: 'claimed' });
    });

    test('indexes of a collection: entered, compared, made live, taken out, and the collection renamed', async () => {
      const [database, other] = databases;
      const collections = createCollections({ database, clock });
      const documents = createDocuments({ database, clock });
      const versions = createIndexVersions({ database, clock });
      const place = { tenantId: DEFAULT_TENANT, collection: 'versions' };
      const made = { tenantId: DEFAULT_TENANT, name: place.collection, fingerprint: 'toy@1' };
      const collection = await collections.create({ ...made, settings: defaultCollectionSettings('toy') });
      await documents.accept(place, [
        { id: 'a', title: '', text: '関所', metadata: {}, headings: [], access: null, hash: 'h1' },
      ]);
      await documents.publish(place, [{ id: 'a', hash: 'h1', chunks: 1 }]);
      expect(await versions.held(collection, 1)).toEqual({ documents: 1, chunks: 1, characters: 2 });
      const settings = { ...collection.settings.index, embeddingRoute: 'other' };
      const shadow = await versions.begin(collection, { settings, fingerprint: 'other@1' });
      expect(shadow).toMatchObject({ version: 2, state: 'building', settings });
      const left = async () => (await versions.outdated(collection, 2, '')).outdated;
      expect(await left()).toEqual([{ id: 'a', hash: 'h1', held: null, characters: 2 }]);
      await versions.record(collection, 2, [{ id: 'a', hash: 'h1', chunks: 3, characters: 2 }]);
      expect(await left()).toEqual([]);
      await versions.mark(collection, 2, 'waiting', 'why');
      expect(await versions.find(collection, 2)).toMatchObject({ state: 'waiting', failure: 'why' });
      await versions.makeLive(collection, shadow);
      await collections.rename(collection, 'renamed', []);
      const there = createCollections({ database: other, clock });
      const renamed = await there.require(DEFAULT_TENANT, 'renamed');
      expect(renamed).toMatchObject({ id: 'versions', version: 2, embeddingRoute: 'other', settingsRevision: 1 });
      expect(await there.indexRefs(renamed)).toHaveLength(2);
      expect(await there.atVersion(renamed, 1)).toMatchObject({ version: 1, embeddingRoute: 'toy' });
      expect((await there.list(DEFAULT_TENANT)).find(({ name }) => name === 'renamed')).toMatchObject({ chunks: 3 });
      const changed = await collections.changeSettings(await collections.require(DEFAULT_TENANT, 'renamed'), {
        ...renamed.settings,
        retrieval: { ...renamed.settings.retrieval, denseWeight: 0.25 },
      });
      expect(changed).toMatchObject({ denseWeight: 0.25, settingsRevision: 2 });
      await versions.forget(renamed, 1);
      expect(await versions.list(renamed)).toEqual([]);
      const renamedPlace = { ...place, collection: 'renamed' };
      expect(await documents.countsByState(renamedPlace)).toMatchObject({ ready: 1, waiting: 0 });
      // A collection of the old name is another one.
      const again = await collections.create({ ...made, settings: defaultCollectionSettings('toy') });
      expect(again.id).not.toBe('versions');
      expect(await documents.liveIds(place)).toEqual(new Set());
      expect(await documents.liveIds(renamedPlace)).toEqual(new Set(['a']));
      await collections.forget(DEFAULT_TENANT, 'renamed');
      await collections.forget(DEFAULT_TENANT, 'versions');
    });

    test('documents and collections: accepted, published, listed, read, removed', async () => {
      const [collections, elsewhere] = databases.map((database) => createCollections({ database, clock }));
      const documents = createDocuments({ database: fixture.database, clock });
      const place = { tenantId: 'ten_a', collection: 'handbook' } as const;
      const wanted = { tenantId: 'ten_a', name: 'handbook', embeddingRoute: 'e', fingerprint: 'f' } as const;
      await Promise.all([collections, elsewhere].map((each) => each?.ensure(wanted)));
      const document = (id: string): PendingDocument => ({
        id,
        title: '題',
        text: `text of ${id}`,
        metadata: { a: 1 },
        headings: [],
        access: null,
        hash: `hash-of-${id}-0123456789`,
      });
      const all = ['a', 'b', 'c'].map(document);
      await documents.accept(place, all);
      await documents.accept(place, all);
      expect(await documents.pending(place, { after: '', documents: 2, characters: 1_000 })).toHaveLength(2);
      await documents.publish(place, [{ id: 'a', hash: all[0]?.hash ?? '', chunks: 2 }]);
      await documents.fail(place, [{ id: 'b', hash: all[1]?.hash ?? '', reason: 'r' }]);
      expect(await documents.liveIds(place)).toEqual(new Set(['a']));
      expect(await documents.list(place, { after: '', limit: 10 })).toMatchObject([
        { id: 'a', state: 'ready', chunks: 2, characters: 9 },
        { id: 'b', state: 'failed', failure: 'r' },
        { id: 'c', state: 'pending', updatedMs: nowMs },
      ]);
      expect((await documents.get(place, 'a'))?.text).toHaveLength(9);
      expect(await elsewhere?.list('ten_a')).toMatchObject([
        { name: 'handbook', denseWeight: null, documents: 3, chunks: 2, failed: 1, pending: 1, createdMs: nowMs },
      ]);
      expect(await documents.markDeleting(place, ['a', 'x'])).toBe(1);
      expect(await documents.unfinishedPlaces()).toEqual([place]);
      await documents.remove(place, ['a']);
      expect(await collections?.markDeleting('ten_a', 'handbook')).toBe(true);
      await collections?.forget('ten_a', 'handbook');
      expect(await documents.list(place, { after: '', limit: 10 })).toEqual([]);
    });
  });
}
