import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { UsageError } from '../errors/usage.error.js';
import { assertOptions } from '../options/assert-options.js';
import type { PageOptions } from '../options/maintenance-options.js';
import type { PageLanguage, PageLanguages } from '../page/page-languages.js';
import { createEmptyRefusal, PageRenderer } from '../page/page-renderer.js';
import { createPageTemplate } from '../page/page-template.js';
import type { Outcome, PrintContext, StorageOptions } from './command-description.js';
import type { PageSettings } from './target-finder.js';

/** The options of `page`. */
export interface PrintPageOptions extends StorageOptions, Omit<PageOptions, 'languages'> {
  lang?: string;
  message?: string;
  template?: string;
  eject?: boolean;
}

const BRANDING_OPTIONS = ['name', 'logo', 'accent', 'supportUrl', 'statusUrl'] as const;

/** The options of the command, by those of the module. */
const FLAGS: Readonly<Record<string, string>> = {
  'response.page.name': '--name',
  'response.page.logo': '--logo',
  'response.page.accent': '--accent',
  'response.page.supportUrl': '--support-url',
  'response.page.statusUrl': '--status-url',
  'response.template': '--template',
};

/** Runs the command `page`. */
export async function printPage(context: PrintContext, options: PrintPageOptions): Promise<Outcome> {
  if (options.eject) return ejectTemplate(options);
  const configured = context.finder.findPageSettings();
  const renderer = await asUsageErrors(() => PageRenderer.create(mergeSettings(configured, options)));
  const language = await loadLanguage(renderer.languages, options.lang);
  const refusal = createEmptyRefusal(language);
  const page = renderer.createContext({ ...refusal, message: options.message ?? refusal.message }, language, 0);
  const html = renderer.hasTemplate ? renderer.renderTemplate(page) : renderer.renderBuiltIn(page);
  const contentSecurityPolicy = renderer.hasTemplate ? null : renderer.contentSecurityPolicy;
  return { lines: [], document: html, json: { language: language.tag, contentSecurityPolicy, html } };
}

function ejectTemplate(options: PrintPageOptions): Outcome {
  const other = Object.keys(options).find((name) => !['eject', 'json', 'storage'].includes(name));
  if (other !== undefined) {
    throw new UsageError(`--eject prints a template for every language and name; leave \`${other}\` out.`);
  }
  const template = createPageTemplate();
  return { lines: [], document: template, json: { template } };
}

function mergeSettings({ template, page }: PageSettings, options: PrintPageOptions): PageSettings {
  const given = Object.fromEntries(
    BRANDING_OPTIONS.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  );
  const path = options.template;
  assertOptions(
    { response: { page: given, ...(path !== undefined && { template: path }) } },
    (option) => `option ${FLAGS[option] ?? option}`,
  );
  return { template: path ?? template, page: { ...page, ...given } };
}

/** Creates a value; options that can't be used are those of the command, so the operator has to correct the usage. */
async function asUsageErrors<T>(create: () => T | Promise<T>): Promise<T> {
  try {
    return await create();
  } catch (error) {
    if (!(error instanceof MaintenanceOptionsError)) throw error;
    const message = error.message.replace(/^nestjs-maintenance: t/, 'T').replace('`response.page.logo`', '--logo');
    throw new UsageError(message, { cause: error });
  }
}

async function loadLanguage(languages: PageLanguages, lang: string | undefined): Promise<PageLanguage> {
  if (lang === undefined) return languages.load(languages.defaultTag);
  const language = await languages.load(lang);
  if (language.tag === lang) return language;
  throw new UsageError(
    `The page has no texts in ${lang}. Known are ${languages.tags.join(', ')}; the option \`response.page.languages\` adds others.`,
  );
}
