import type { PageTexts } from '../page-texts.js';

export const czech: PageTexts = {
  title: 'Probíhá údržba',
  message: 'Služba je v údržbě. Zkuste to prosím později.',
  readOnlyTitle: 'Dočasně jen pro čtení',
  readOnlyMessage: 'Během údržby je služba jen pro čtení. Čtení funguje, změny musí počkat.',
  readOnlyNote:
    'Můžete dál číst. Zatím se odmítají jen změny: to, co jste právě odeslali, se neuložilo. Tlačítkem Zpět v prohlížeči se k tomu vrátíte.',
  expectedEnd: 'Předpokládaný konec',
  timeLeft: 'Zbývající čas',
  anyMoment: 'každou chvíli',
  returnsByItself: 'Tato stránka se vrátí sama, jakmile údržba skončí.',
  tryAgain: 'Zkusit znovu',
  continueReading: 'Pokračovat ve čtení',
  support: 'Kontaktovat podporu',
  status: 'Stav služby',
  endChanged: 'Předpokládaný konec se změnil.',
  opening: 'Stránka se otevírá.',
  acceptedAgain: 'Změny by už měly být zase přijímány.',
  unavailable: 'Služba není dostupná',
};
