import { arabic } from './arabic.js';
import { bengali } from './bengali.js';
import { czech } from './czech.js';
import { danish } from './danish.js';
import { dutch } from './dutch.js';
import { finnish } from './finnish.js';
import { french } from './french.js';
import { german } from './german.js';
import { greek } from './greek.js';
import { hebrew } from './hebrew.js';
import { hindi } from './hindi.js';
import { hungarian } from './hungarian.js';
import { indonesian } from './indonesian.js';
import { italian } from './italian.js';
import { japanese } from './japanese.js';
import { korean } from './korean.js';
import { norwegian } from './norwegian.js';
import { persian } from './persian.js';
import { polish } from './polish.js';
import { portuguese } from './portuguese.js';
import { romanian } from './romanian.js';
import { russian } from './russian.js';
import { simplifiedChinese } from './simplified-chinese.js';
import { spanish } from './spanish.js';
import { swedish } from './swedish.js';
import { thai } from './thai.js';
import { traditionalChinese } from './traditional-chinese.js';
import { turkish } from './turkish.js';
import { ukrainian } from './ukrainian.js';
import { vietnamese } from './vietnamese.js';
import type { BuiltInLanguage, PageTexts } from '../page-texts.js';

/** All built-in texts but the English ones. The build makes one chunk of them, loaded when one is first used. */
export const LANGUAGES: Readonly<Record<Exclude<BuiltInLanguage, 'en'>, PageTexts>> = {
  ar: arabic,
  bn: bengali,
  cs: czech,
  da: danish,
  de: german,
  el: greek,
  es: spanish,
  fa: persian,
  fi: finnish,
  fr: french,
  he: hebrew,
  hi: hindi,
  hu: hungarian,
  id: indonesian,
  it: italian,
  ja: japanese,
  ko: korean,
  nl: dutch,
  no: norwegian,
  pl: polish,
  pt: portuguese,
  ro: romanian,
  ru: russian,
  sv: swedish,
  th: thai,
  tr: turkish,
  uk: ukrainian,
  vi: vietnamese,
  'zh-Hans': simplifiedChinese,
  'zh-Hant': traditionalChinese,
};
