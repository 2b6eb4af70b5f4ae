import type { ReactNode } from 'react';
import { CopyButton } from '../views/copy-button.tsx';
import { useLanguage } from '../words/language.tsx';
import type { Field, Operation } from './read-openapi.ts';

/** One operation: what it is for, what it takes, what it gives back, and a call to copy. */
export function OperationView(props: { operation: Operation }): ReactNode {
  const { words } = useLanguage();
  const { operation } = props;
  return (
    <details className="operation" id={operation.id}>
      <summary>
        <span className="method" data-method={operation.method}>
          {operation.method}
        </span>
        <code className="path">{operation.path}</code>
        <span className="operation-summary">{operation.summary}</span>
        {operation.deprecated ? <span className="tag">{words.reference.deprecated}</span> : null}
      </summary>
      <div className="operation-body">
        {operation.about === '' ? null : <p className="operation-about">{operation.about}</p>}
        <FieldTable title={words.reference.parameters} fields={operation.parameters} />
        <FieldTable title={`${words.reference.body} · ${operation.bodyType}`} fields={operation.body} />
        <section>
          <h4>{words.reference.responses}</h4>
          {operation.responses.map((response) => (
            <details key={response.status} className="response">
              <summary>
                <code data-status={response.status.charAt(0)}>{response.status}</code> {response.about}
              </summary>
              <FieldTable title="" fields={response.fields} />
            </details>
          ))}
        </section>
        <section>
          <h4>
            {words.reference.example}
            <CopyButton text={operation.curl} label={words.reference.copy} copied={words.reference.copied} />
          </h4>
          <pre tabIndex={0}>
            <code>{operation.curl}</code>
          </pre>
        </section>
      </div>
    </details>
  );
}

function FieldTable(props: { title: string; fields: readonly Field[] }): ReactNode {
  const { words } = useLanguage();
  if (props.fields.length === 0) return null;
  const placed = props.fields.some((field) => field.place !== undefined);
  return (
    <section>
      {props.title === '' ? null : <h4>{props.title}</h4>}
      <div className="table-scroll">
        <table className="fields">
          <thead>
            <tr>
              <th scope="col">{words.reference.name}</th>
              {placed ? <th scope="col">{words.reference.place}</th> : null}
              <th scope="col">{words.reference.type}</th>
              <th scope="col">{words.reference.meaning}</th>
            </tr>
          </thead>
          <tbody>
            {props.fields.map((field) => (
              <tr key={`${field.place ?? ''} ${field.name}`}>
                <th scope="row">
                  <code>{field.name}</code>
                  {field.required ? <span className="required">{words.reference.required}</span> : null}
                </th>
                {placed ? <td>{field.place}</td> : null}
                <td>
                  <code className="type">{field.type}</code>
                </td>
                <td>{field.about}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
