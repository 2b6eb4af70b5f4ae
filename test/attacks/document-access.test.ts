/**
 * Documents that are opened to some are found, listed, read, answered from and explained to nobody else, whatever a
 * caller sends: rights come with the key, and what a request says of them only narrows.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { arrayAt, isJsonObject, parseJson, stringAt, type JsonObject } from '../../src/lib/json.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

let server: TestServer;
const keys = new Map<string, string>();

interface Told {
  status: number;
  text: string;
  json: JsonObject;
}

async function ask(
  who: string,
  method: string,
  path: string,
  { body, headers = {} }: { body?: object; headers?: Record<string, string> } = {},
): Promise<Told> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${keys.get(who)}`, 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const json = parseJson(text);
  return { status: response.status, text, json: isJsonObject(json) ? json : {} };
}

const WORD = 'harbour';
const SEARCH = { query: WORD, collection: 'c', top_k: 50 };
/** Each document tells one secret that nothing else tells. */
const secretOf = (id: string): string => `secret${id}zq`;
const document = (id: string, access?: object | null, metadata: object = {}): object => ({
  id,
  title: id,
  content: `The ${WORD} of ${id} closes at nine. Its word is ${secretOf(id)}.`,
  metadata: { kind: 'page', ...metadata },
  ...(access !== undefined && { access }),
});
const DOCUMENTS = [
  document('open'),
  document('opened', null),
  document('sales', { groups: ['sales'] }),
  document('hr', { groups: ['hr'] }),
  document('tokyo', { attributes: { region: ['tokyo'] } }),
  document('members', { roles: ['member'] }),
  document('admins', { roles: ['admin'] }),
  document('nobody', {}),
  // Metadata that looks like rights.
  document(
    'forged',
    { groups: ['hr'] },
    {
      '%acl': '*',
      '%acl=group:sales': 'x',
      acl: ['*', 'group:sales', 'role:member'],
      '%25acl': 'group:sales',
      kind: ['page', '%acl=group:sales', 'x\u0001%acl=group:sales\u0001'],
    },
  ),
];
const FOR_ALL = ['members', 'open', 'opened'];

/** Ids of what a search finds. */
async function found(who: string, more: object = {}, headers: Record<string, string> = {}): Promise<string[]> {
  const told = await ask(who, 'POST', '/v1/search', { body: { ...SEARCH, ...more }, headers });
  if (told.status !== 200) throw new Error(told.text);
  return arrayAt(told.json, 'hits')
    .filter(isJsonObject)
    .map((hit) => stringAt(hit, 'document_id') ?? '')
    .sort();
}

beforeAll(async () => {
  server = await startSekisho({ config: { discover: false, handbook: false, logging: { level: 'silent' } } });
  keys.set('admin', server.adminKey);
  const people: [string, object][] = [
    ['plain', {}],
    ['sales', { groups: ['sales'], attributes: { region: ['tokyo', 'osaka'] } }],
    ['hr', { groups: ['hr'] }],
    ['twin', { groups: ['ｓales', 'Sales', 'ѕales'], attributes: { region: ['tоkyo'], Region: ['tokyo'] } }],
    ['bound', { groups: ['hr'], allowed_routes: ['rag/other'] }],
  ];
  for (const [name, rights] of people) {
    const made = await ask('admin', 'POST', '/v1/keys', { body: { name, ...rights } });
    keys.set(name, stringAt(made.json, 'key') ?? '');
  }
  const indexed = await ask('admin', 'POST', '/v1/index', { body: { collection_name: 'c', documents: DOCUMENTS } });
  expect(indexed.json).toMatchObject({ indexed: DOCUMENTS.length, failed: [] });
});
afterAll(() => server.stop());

describe('what is found', () => {
  test('is what the key has the right to, on either leg', async () => {
    for (const mode of ['hybrid', 'lexical', 'dense']) {
      expect(await found('admin', { mode }), mode).toEqual(
        ['admins', 'forged', 'hr', 'nobody', 'sales', 'tokyo', ...FOR_ALL].sort(),
      );
      expect(await found('plain', { mode }), mode).toEqual(FOR_ALL);
      expect(await found('sales', { mode }), mode).toEqual([...FOR_ALL, 'sales', 'tokyo'].sort());
      expect(await found('hr', { mode }), mode).toEqual([...FOR_ALL, 'forged', 'hr'].sort());
      expect(await found('twin', { mode }), mode).toEqual(FOR_ALL);
    }
  });

  test('does not grow by any filter', async () => {
    const filters: object[] = [
      { $or: [{ kind: 'page' }, { $not: { kind: 'page' } }] },
      { $not: { kind: 'nothing' } },
      { '%acl': '*' },
      { '%acl=group:hr': { $exists: true } },
      { '%acl': { $prefix: '=' } },
      { acl: { $in: ['*', 'group:hr'] } },
      { $or: [{ '%acl': { $exists: true } }, { '%acl': { $exists: false } }] },
      { kind: { $prefix: "p') OR (true" } },
      { kind: ["page'] ) OR 1=1 --", 'page'] },
      { kind: { $gte: '' } },
      { kind: { $gte: '%', $lte: '\u{10ffff}' } },
      { tenant: { $ne: null } },
      { kind: 'page', access: { $exists: false } },
    ];
    const allowed = new Set(FOR_ALL);
    for (const filter of filters) {
      const told = await ask('plain', 'POST', '/v1/search', { body: { ...SEARCH, filters: filter } });
      expect([200, 400], JSON.stringify(filter)).toContain(told.status);
      for (const hit of arrayAt(told.json, 'hits').filter(isJsonObject)) {
        expect(allowed.has(stringAt(hit, 'document_id') ?? ''), JSON.stringify(filter)).toBe(true);
      }
    }
    expect((await ask('plain', 'POST', '/v1/search', { body: { ...SEARCH, filters: null } })).status).toBe(400);
    expect((await ask('plain', 'POST', '/v1/search', { body: { ...SEARCH, filters: [] } })).status).toBe(400);
    // A name that objects have of themselves is a condition like any other.
    const text = JSON.stringify({ ...SEARCH, filters: {} }).replace('"filters":{}', '"filters":{"__proto__":"x"}');
    const raw = await fetch(`${server.url}/v1/search`, {
      method: 'POST',
      headers: { authorization: `Bearer ${keys.get('plain')}` },
      body: text,
    });
    expect(await raw.json()).toMatchObject({ hits: [] });
  });

  test.each(['tenant', 'tenant_id', 'principal', 'groups', 'role', 'access', 'where'])(
    'a field %s in a search is refused',
    async (field) => {
      const told = await ask('plain', 'POST', '/v1/search', { body: { ...SEARCH, [field]: null } });
      expect(told.status).toBe(400);
    },
  );

  test('is not widened by a condition or a right that is misspelt: it is refused, not passed over', async () => {
    const misspelt = { filter: { team: 'sales' }, As: { groups: [] }, acting_as: { groups: [] } };
    for (const [field, value] of Object.entries(misspelt)) {
      for (const path of ['/v1/query', '/v1/search', '/v1/query_async', '/v1/search/why-not']) {
        const more = path.endsWith('why-not') ? { document_id: 'hr' } : {};
        const told = await ask('admin', 'POST', path, { body: { ...SEARCH, ...more, [field]: value } });
        expect([path, field, told.status]).toEqual([path, field, 400]);
      }
    }
  });
});

describe('whoever acts for somebody', () => {
  const as = (rights: unknown): Record<string, string> => ({ 'x-sekisho-as': JSON.stringify(rights) });

  test("has that one's rights and no others, by header or by field", async () => {
    expect(await found('admin', {}, as({ groups: ['hr'] }))).toEqual([...FOR_ALL, 'forged', 'hr'].sort());
    expect(await found('admin', { as: { attributes: { region: ['tokyo'] } } })).toEqual([...FOR_ALL, 'tokyo'].sort());
    expect(await found('admin', {}, as({}))).toEqual(FOR_ALL);
    expect(await found('sales', {}, as({ attributes: { region: ['tokyo'] } }))).toEqual([...FOR_ALL, 'tokyo'].sort());
    expect(await found('sales', { as: {} })).toEqual(FOR_ALL);
    expect(await found('admin', { as: {} }, as({ groups: ['hr'] }))).toEqual(FOR_ALL);
  });

  test.each<[unknown, number]>([
    [{ groups: ['hr'] }, 403],
    [{ groups: ['sales', 'hr'] }, 403],
    [{ attributes: { region: ['nagoya'] } }, 403],
    [{ attributes: { Region: ['tokyo'] } }, 403],
    [{ groups: 'sales' }, 400],
    [{ groups: null }, 400],
    [{ groups: [null] }, 400],
    [{ groups: [''] }, 400],
    [{ role: 'admin' }, 400],
    [null, 400],
    [[], 400],
    ['all', 400],
    [{ attributes: { region: 'tokyo' } }, 400],
  ])('%j is %i for a member, and nothing is found', async (rights, status) => {
    const byHeader = await ask('sales', 'POST', '/v1/search', { body: SEARCH, headers: as(rights) });
    expect(byHeader.status).toBe(status);
    const byField = await ask('sales', 'POST', '/v1/search', { body: { ...SEARCH, as: rights } });
    expect(byField.status).toBe(status);
  });

  test('a header that cannot be understood ends the request, on every route', async () => {
    for (const header of ['', '{', 'hr', '%7B', '{"groups":["hr"]', 'x'.repeat(20_000)]) {
      for (const [method, path] of [
        ['POST', '/v1/search'],
        ['POST', '/v1/query'],
        ['POST', '/v1/chat/completions'],
        ['GET', '/v1/collections/c/documents'],
      ] as const) {
        const body = method === 'GET' ? {} : { body: { ...SEARCH, model: 'rag/c', messages: [] } };
        const told = await ask('admin', method, path, { ...body, headers: { 'x-sekisho-as': header } });
        expect([400, 431], `${path} ${header.slice(0, 20)}`).toContain(told.status);
      }
    }
  });

  test('an administrator who acts for somebody administers nothing', async () => {
    const headers = as({ groups: ['hr'] });
    expect((await ask('admin', 'POST', '/v1/index', { body: { documents: [document('x')] }, headers })).status).toBe(
      403,
    );
    expect((await ask('admin', 'GET', '/v1/keys', { headers })).status).toBe(403);
    const body = { access: null };
    expect((await ask('admin', 'PATCH', '/v1/collections/c/documents/hr', { body, headers })).status).toBe(403);
  });

  test('an Idempotency-Key gives nobody the answer of another', async () => {
    const ofKey = { 'idempotency-key': 'one-answer' };
    const body = { query: `What is the word of the ${WORD} of hr?`, collection: 'c', top_k: 20 };
    const first = await ask('admin', 'POST', '/v1/query', { body, headers: { ...ofKey, ...as({ groups: ['hr'] }) } });
    expect(first.text).toContain(secretOf('hr'));
    for (const rights of [{}, { groups: ['sales'] }]) {
      const second = await ask('admin', 'POST', '/v1/query', { body, headers: { ...ofKey, ...as(rights) } });
      expect(second.status).toBe(422);
    }
  });
});

describe('what is shown', () => {
  const PLACES = '/v1/collections/c/documents';

  test("lists leave out what is not the caller's, page by page", async () => {
    for (const [who, expected] of [
      ['plain', FOR_ALL],
      ['hr', [...FOR_ALL, 'forged', 'hr'].sort()],
    ] as const) {
      const seen: string[] = [];
      for (let after = '', more = true; more;) {
        const page = await ask(who, 'GET', `${PLACES}?limit=2&after=${after}`);
        const ids = arrayAt(page.json, 'data')
          .filter(isJsonObject)
          .map((each) => stringAt(each, 'id') ?? '');
        expect(page.text).not.toContain('"access"');
        seen.push(...ids);
        after = ids.at(-1) ?? '';
        more = page.json['has_more'] === true;
      }
      expect(seen).toEqual([...expected]);
    }
  });

  test("a document that is not the caller's is not there, in the same words as one that is none", async () => {
    const none = await ask('plain', 'GET', `${PLACES}/none`);
    for (const id of ['sales', 'hr', 'tokyo', 'admins', 'nobody', 'forged']) {
      const told = await ask('plain', 'GET', `${PLACES}/${id}`);
      expect(told.status).toBe(404);
      expect(stringAt(objectOf(told.json['error']), 'message')).toBe(
        (stringAt(objectOf(none.json['error']), 'message') ?? '').replace('none', id),
      );
      const why = await ask('plain', 'POST', '/v1/search/why-not', { body: { ...SEARCH, document_id: id } });
      const whyNone = await ask('plain', 'POST', '/v1/search/why-not', { body: { ...SEARCH, document_id: 'none' } });
      expect({ ...why.json, document_id: '' }).toEqual({ ...whyNone.json, document_id: '' });
    }
    expect((await ask('hr', 'GET', `${PLACES}/hr`)).status).toBe(200);
    expect((await ask('admin', 'GET', `${PLACES}/nobody`)).json).toMatchObject({ access: {} });
  });

  test("answers rest on the caller's documents alone: asked, streamed, as a chat, in the background", async () => {
    const query = `What is the word of the ${WORD} of hr, sales and nobody?`;
    const secrets = ['hr', 'sales', 'nobody', 'tokyo', 'admins', 'forged'].map(secretOf);
    const question = { query, collection: 'c', top_k: 50 };
    const chat = { model: 'rag/c', messages: [{ role: 'user', content: query }] };
    // Whoever may, is answered first: whatever is kept of it is not for others.
    expect((await ask('hr', 'POST', '/v1/query', { body: question })).text).toContain(secretOf('hr'));
    expect((await ask('admin', 'POST', '/v1/query', { body: question })).text).toContain(secretOf('nobody'));
    await ask('hr', 'POST', '/v1/chat/completions', { body: chat });
    for (const told of [
      await ask('plain', 'POST', '/v1/query', { body: question }),
      await ask('plain', 'POST', '/v1/query', { body: { ...question, stream: true, explain: true } }),
      await ask('plain', 'POST', '/v1/chat/completions', { body: chat }),
      await ask('plain', 'POST', '/v1/chat/completions', { body: { ...chat, stream: true } }),
      await ask('admin', 'POST', '/v1/query', { body: question, headers: { 'x-sekisho-as': '{}' } }),
      await ask('admin', 'POST', '/v1/chat/completions', { body: chat, headers: { 'x-sekisho-as': '{}' } }),
      await background('plain', question),
      await background('admin', { ...question, as: {} }),
    ]) {
      expect(told.status).toBe(200);
      for (const secret of secrets) expect(told.text).not.toContain(secret);
    }
  });
});

describe('opening and closing', () => {
  test('holds from the answer on, in searches, lists and kept answers, and a member may do neither', async () => {
    await ask('admin', 'POST', '/v1/index', { body: { collection_name: 'p', documents: [document('door')] } });
    const search = { collection: 'p' };
    const question = { query: `What is the word of the ${WORD} of door?`, collection: 'p' };
    const path = '/v1/collections/p/documents/door';
    const patch = (access: object | null, who = 'admin') => ask(who, 'PATCH', path, { body: { access } });
    const answer = async (who: string): Promise<boolean> =>
      (await ask(who, 'POST', '/v1/query', { body: question })).text.includes(secretOf('door'));

    expect([await found('plain', search), await answer('plain')]).toEqual([['door'], true]);
    expect((await patch({ groups: ['plain'] }, 'plain')).status).toBe(403);
    expect((await patch({ groups: ['hr'] })).json).toMatchObject({ id: 'door', access: { groups: ['hr'] } });
    expect([await found('plain', search), await answer('plain')]).toEqual([[], false]);
    expect([await found('hr', search), await answer('hr')]).toEqual([['door'], true]);
    expect((await ask('plain', 'GET', path)).status).toBe(404);

    // Sent again without a word on access it stays closed; with one, it is what that says.
    const again = (access?: object | null) =>
      ask('admin', 'POST', '/v1/index', { body: { collection_name: 'p', documents: [document('door', access)] } });
    expect((await again()).json).toMatchObject({ indexed: 1 });
    expect(await found('plain', search)).toEqual([]);
    await again(null);
    expect([await found('plain', search), await answer('plain')]).toEqual([['door'], true]);
    await patch({});
    expect(await found('hr', search)).toEqual([]);
    expect((await again(null)).json).toMatchObject({ indexed: 1 });
    expect([await found('plain', search), await answer('plain')]).toEqual([['door'], true]);
  });

  test('metadata changes without a new text, and filters know at once', async () => {
    const body = { metadata: { year: 2031, kind: 'page' } };
    const path = '/v1/collections/c/documents/open';
    expect((await ask('admin', 'PATCH', path, { body })).json).toMatchObject(body);
    expect(await found('plain', { filters: { year: { $gt: 2030 } } })).toEqual(['open']);
    expect(await found('plain', { filters: { year: { $exists: false } } })).toEqual(['members', 'opened']);
    for (const wrong of [
      {},
      { metadata: null },
      { access: [] },
      { access: { groups: 'hr' } },
      { access: { team: [] } },
    ]) {
      expect((await ask('admin', 'PATCH', path, { body: wrong })).status).toBe(400);
    }
  });

  test('access goes with uploads and batches', async () => {
    const form = (): FormData => {
      const made = new FormData();
      made.append('file', new File([`The ${WORD} of files is ${secretOf('file')}.`], 'file.txt'));
      made.append('access', JSON.stringify({ groups: ['hr'] }));
      return made;
    };
    const send = (path: string, body: FormData) =>
      fetch(`${server.url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${keys.get('admin')}` },
        body,
      });
    expect((await send('/v1/collections/u/files', form())).status).toBe(200);
    expect([await found('plain', { collection: 'u' }), await found('hr', { collection: 'u' })]).toEqual([
      [],
      ['file.txt'],
    ]);
    const wrong = form();
    wrong.set('access', 'hr');
    expect((await send('/v1/collections/u/files', wrong)).status).toBe(400);

    const batch = form();
    batch.append('collection_name', 'b');
    const byFile = parseJson(await (await send('/v1/batch_index', batch)).text());
    await ended(stringAt(objectOf(byFile), 'task_id') ?? '', 'admin');
    const documents = [document('batched', { groups: ['hr'] })];
    const body = { collection_name: 'b', documents };
    const byBody = await ask('admin', 'POST', '/v1/batch_index', { body });
    await ended(stringAt(byBody.json, 'task_id') ?? '', 'admin');
    expect(await found('hr', { collection: 'b' })).toEqual(['batched', 'file.txt']);
    expect(await found('plain', { collection: 'b' })).toEqual([]);
  });
});

async function ended(id: string, who: string, headers: Record<string, string> = {}): Promise<Told> {
  for (;;) {
    const told = await ask(who, 'GET', `/v1/task_status/${id}`, { headers });
    if (told.status !== 200) throw new Error(told.text);
    if (told.json['state'] !== 'waiting' && told.json['state'] !== 'active') return told;
    await Bun.sleep(20);
  }
}

async function background(who: string, body: object): Promise<Told> {
  const { json } = await ask(who, 'POST', '/v1/query_async', { body });
  return ended(stringAt(json, 'task_id') ?? '', who);
}

function objectOf(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}
