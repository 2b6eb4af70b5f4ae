import { readXml } from './read-xml.ts';

/** The title that the author gave an office document, out of its `docProps/core.xml`. */
export function officeTitle(core: string | undefined): string | undefined {
  if (core === undefined) return undefined;
  let title = '';
  let inTitle = false;
  readXml(core, {
    open: (name) => {
      inTitle = name === 'title';
    },
    text: (text) => {
      if (inTitle) title += text;
    },
    close: () => {
      inTitle = false;
    },
  });
  title = title.trim();
  // What the programs call a document that nobody has named.
  return title === '' || title === 'PowerPoint Presentation' || title === 'Word Document' ? undefined : title;
}
