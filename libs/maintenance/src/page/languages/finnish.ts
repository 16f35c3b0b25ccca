import type { PageTexts } from '../page-texts.js';

export const finnish: PageTexts = {
  title: 'Huoltokatko',
  message: 'Palvelua huolletaan. Yritä myöhemmin uudelleen.',
  readOnlyTitle: 'Toistaiseksi vain luku',
  readOnlyMessage: 'Palvelu on huollon aikana vain luettavissa. Lukeminen onnistuu, muutosten on odotettava.',
  readOnlyNote:
    'Voit jatkaa lukemista. Vain muutokset hylätään toistaiseksi: äsken lähettämääsi ei tallennettu, ja selaimen Takaisin-painikkeella pääset takaisin siihen.',
  expectedEnd: 'Arvioitu päättymisaika',
  timeLeft: 'Aikaa jäljellä',
  anyMoment: 'hetkenä minä hyvänsä',
  returnsByItself: 'Sivu palaa itsestään, kun huolto on ohi.',
  tryAgain: 'Yritä uudelleen',
  continueReading: 'Jatka lukemista',
  support: 'Ota yhteyttä tukeen',
  status: 'Palvelun tila',
  endChanged: 'Arvioitu päättymisaika on muuttunut.',
  opening: 'Avataan sivua.',
  acceptedAgain: 'Muutosten pitäisi nyt taas onnistua.',
  unavailable: 'Palvelu ei ole käytettävissä',
};
