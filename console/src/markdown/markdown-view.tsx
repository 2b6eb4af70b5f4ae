import { Fragment, useMemo, type ReactNode } from 'react';
import { parseBlocks, type Block } from './blocks.ts';
import type { Inline } from './inline.ts';

interface MarkdownProps {
  /** Markdown, with citation marks where `renderCitation` shall draw. */
  text: string;
  renderCitation: (source: number) => ReactNode;
}

/** Draws Markdown as React elements, never as HTML: whatever the text says, it can only become text. */
export function MarkdownView(props: MarkdownProps): ReactNode {
  const blocks = useMemo(() => parseBlocks(props.text), [props.text]);
  return (
    <div className="markdown">
      {blocks.map((block, at) => (
        <Fragment key={at}>{drawBlock(block, props.renderCitation)}</Fragment>
      ))}
    </div>
  );
}

function drawBlock(block: Block, cite: (source: number) => ReactNode): ReactNode {
  switch (block.type) {
    case 'paragraph':
      return <p>{drawInlines(block.children, cite)}</p>;
    case 'quote':
      return <blockquote>{drawInlines(block.children, cite)}</blockquote>;
    case 'heading':
      return <h4>{drawInlines(block.children, cite)}</h4>;
    case 'rule':
      return <hr />;
    case 'code':
      return (
        <>
          <pre tabIndex={0}>
            <code>{block.text}</code>
          </pre>
          {block.sources.map((source) => (
            <Fragment key={source}>{cite(source)}</Fragment>
          ))}
        </>
      );
    case 'list': {
      const items = block.items.map((item, at) => (
        <li key={at} data-level={item.level}>
          {drawInlines(item.children, cite)}
        </li>
      ));
      return block.ordered ? <ol start={block.first}>{items}</ol> : <ul>{items}</ul>;
    }
    case 'table':
      return (
        <div className="table-scroll">
          <table>
            <thead>
              <tr>
                {block.head.map((cell, at) => (
                  <th key={at}>{drawInlines(cell, cite)}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {block.rows.map((row, at) => (
                <tr key={at}>
                  {row.map((cell, column) => (
                    <td key={column}>{drawInlines(cell, cite)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      );
  }
}

function drawInlines(nodes: readonly Inline[], cite: (source: number) => ReactNode): ReactNode {
  return nodes.map((node, at) => <Fragment key={at}>{drawInline(node, cite)}</Fragment>);
}

function drawInline(node: Inline, cite: (source: number) => ReactNode): ReactNode {
  switch (node.type) {
    case 'text':
      return node.text;
    case 'code':
      return <code>{node.text}</code>;
    case 'strong':
      return <strong>{drawInlines(node.children, cite)}</strong>;
    case 'emphasis':
      return <em>{drawInlines(node.children, cite)}</em>;
    case 'image':
      return <span className="image-text">{node.alt}</span>;
    case 'citation':
      return cite(node.source);
    case 'link':
      return (
        <>
          <a href={node.href} target="_blank" rel="noopener noreferrer nofollow">
            {drawInlines(node.children, cite)}
          </a>
          <span className="link-host"> ({node.host})</span>
        </>
      );
  }
}
