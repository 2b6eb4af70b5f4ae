import { useEffect, useMemo, useState, type ReactNode } from 'react';
import { RequestFailure, readJson, send } from '../api/send.ts';
import { storedApiKey } from '../preferences.ts';
import type { Failure } from '../run/run.ts';
import { AppShell } from '../views/app-shell.tsx';
import { FailureNote } from '../views/failure-note.tsx';
import { useLanguage } from '../words/language.tsx';
import { OperationView } from './operation-view.tsx';
import { readOperations, type Operation } from './read-openapi.ts';

/** The reader of this server's own /openapi.json. */
export function ReferencePage(): ReactNode {
  const { words, language } = useLanguage();
  const [operations, setOperations] = useState<readonly Operation[] | undefined>(undefined);
  const [failure, setFailure] = useState<Failure | undefined>(undefined);
  const [filter, setFilter] = useState('');

  useEffect(() => {
    const controller = new AbortController();
    const caller = { apiKey: storedApiKey() ?? '', language, signal: controller.signal };
    send('/openapi.json', caller)
      .then(readJson)
      .then(
        (document) => {
          setFailure(undefined);
          setOperations(readOperations(document, location.origin));
        },
        (error: unknown) => {
          if (controller.signal.aborted) return;
          setFailure(error instanceof RequestFailure ? error.failure : { kind: 'unreachable' });
        },
      );
    return () => controller.abort();
  }, [language]);

  useEffect(() => {
    if (operations === undefined || location.hash === '') return;
    const linked = document.getElementById(location.hash.slice(1));
    if (linked instanceof HTMLDetailsElement) linked.open = true;
    linked?.scrollIntoView();
  }, [operations]);

  const groups = useMemo(() => groupsOf(operations ?? [], filter), [operations, filter]);
  return (
    <AppShell page="reference">
      <div className="reference">
        <aside className="reference-side">
          <h1>{words.reference.title}</h1>
          <p className="note">
            {words.reference.lead} <a href="/openapi.json">{words.reference.raw}</a>
          </p>
          <label>
            <span className="hidden">{words.reference.filter}</span>
            <input
              type="search"
              value={filter}
              placeholder={words.reference.filter}
              onChange={(event) => setFilter(event.target.value)}
            />
          </label>
          <nav aria-label={words.reference.title}>
            {groups.map(([group]) => (
              <a key={group} href={`#group-${group}`}>
                {group === '' ? words.reference.other : group}
              </a>
            ))}
          </nav>
        </aside>
        <div className="reference-main">
          {failure === undefined ? null : <FailureNote failure={failure} />}
          {operations === undefined && failure === undefined ? <p className="note">{words.reference.loading}</p> : null}
          {operations !== undefined && groups.length === 0 ? <p className="note">{words.reference.none}</p> : null}
          {groups.map(([group, members]) => (
            <section key={group} id={`group-${group}`}>
              <h2>{group === '' ? words.reference.other : group}</h2>
              {members.map((operation) => (
                <OperationView key={operation.id} operation={operation} />
              ))}
            </section>
          ))}
        </div>
      </div>
    </AppShell>
  );
}

function groupsOf(operations: readonly Operation[], filter: string): [string, Operation[]][] {
  const wanted = filter.trim().toLowerCase();
  const matching = operations.filter((operation) =>
    `${operation.method} ${operation.path} ${operation.summary} ${operation.group}`.toLowerCase().includes(wanted),
  );
  return [...Map.groupBy(matching, (operation) => operation.group)];
}
