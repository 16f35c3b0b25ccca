import type { PageTexts } from '../page-texts.js';

export const danish: PageTexts = {
  title: 'Vedligeholdelse i gang',
  message: 'Tjenesten er under vedligeholdelse. Prøv igen senere.',
  readOnlyTitle: 'Skrivebeskyttet for nu',
  readOnlyMessage: 'Tjenesten er skrivebeskyttet under vedligeholdelsen. Læsning virker, ændringer må vente.',
  readOnlyNote:
    'Du kan læse videre. Lige nu afvises kun ændringer: det, du netop sendte, blev ikke gemt, og med browserens tilbageknap kommer du tilbage til det.',
  expectedEnd: 'Forventet afslutning',
  timeLeft: 'Resterende tid',
  anyMoment: 'hvert øjeblik',
  returnsByItself: 'Siden kommer tilbage af sig selv, når vedligeholdelsen er slut.',
  tryAgain: 'Prøv igen',
  continueReading: 'Læs videre',
  support: 'Kontakt support',
  status: 'Driftsstatus',
  endChanged: 'Den forventede afslutning er ændret.',
  opening: 'Siden åbnes.',
  acceptedAgain: 'Ændringer burde nu blive modtaget igen.',
  unavailable: 'Tjenesten er ikke tilgængelig',
};
