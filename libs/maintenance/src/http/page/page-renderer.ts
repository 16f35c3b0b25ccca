import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type * as Handlebars from 'handlebars';
import { MaintenanceOptionsError } from '../../errors/maintenance-options.error.js';
import { createProblem, type Problem } from '../problem.js';
import { DEFAULT_PAGE, DEFAULT_PAGE_CSP } from './default-page.js';
import { getPageTimes } from './page-times.js';

/** A rendered page, with the policy that its own style and script need. */
export interface Page {
  html: string;
  /** `Content-Security-Policy`; none for a template of the application's own, which has the application's policy. */
  contentSecurityPolicy?: string;
}

type Template = Handlebars.TemplateDelegate;

/** Renders the page: the built-in one, or the application's. */
export class PageRenderer {
  /** Whether the template is the application's own, which alone may want members of its own. */
  readonly isCustom: boolean;
  #template: Promise<Template> | null;

  private constructor(
    template: Template | null,
    private readonly contentSecurityPolicy: string | undefined,
  ) {
    this.isCustom = template !== null;
    this.#template = template && Promise.resolve(template);
  }

  /**
   * Reads and compiles the application's template, or postpones the built-in one until somebody sees it.
   *
   * @param path - of a Handlebars template, relative to the working directory
   * @throws {@link MaintenanceOptionsError} if the template can't be read or is not Handlebars
   */
  static async create(path: string | undefined): Promise<PageRenderer> {
    if (path === undefined) return new PageRenderer(null, DEFAULT_PAGE_CSP);
    const file = resolve(path);
    try {
      const template = await compileTemplate(readFileSync(file, 'utf8'));
      // A helper or a partial that is missing shows only now, and must not show first to a visitor.
      template(createContext(createProblem({ window: null, retryAfter: null }, 503), 0));
      return new PageRenderer(template, undefined);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new MaintenanceOptionsError(
        `the option \`response.template\` (environment: MAINTENANCE_TEMPLATE) can't be used: ${file}: ${reason}`,
        {
          cause: error,
        },
      );
    }
  }

  /**
   * @param problem - what the page says
   * @param custom - members of the application's own
   * @param now - milliseconds since the epoch
   */
  async render(problem: Problem, custom: object, now: number): Promise<Page> {
    this.#template ??= compileTemplate(DEFAULT_PAGE);
    const template = await this.#template;
    return {
      html: template({ ...custom, ...createContext(problem, now) }),
      contentSecurityPolicy: this.contentSecurityPolicy,
    };
  }
}

async function compileTemplate(source: string): Promise<Template> {
  // Loaded when used: it costs more than the rest of the module together.
  const { default: handlebars } = await import('handlebars');
  const own = handlebars.create();
  // Handlebars compiles at the first rendering; a template that can't be parsed has to show at boot.
  own.parse(source);
  return own.compile(source);
}

function createContext(problem: Problem, now: number): object {
  const readOnly = problem.mode === 'read-only';
  return {
    ...problem,
    title: readOnly ? 'Read-only for now' : 'Down for maintenance',
    readOnly,
    ...getPageTimes(problem, now),
  };
}
