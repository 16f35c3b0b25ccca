import type { PageTexts } from '../page-texts.js';

export const romanian: PageTexts = {
  title: 'În mentenanță',
  message: 'Serviciul este în mentenanță. Încercați din nou mai târziu.',
  readOnlyTitle: 'Deocamdată doar pentru citire',
  readOnlyMessage:
    'În timpul mentenanței, serviciul este doar pentru citire. Citirea funcționează, modificările trebuie să aștepte.',
  readOnlyNote:
    'Puteți citi în continuare. Deocamdată sunt refuzate doar modificările: ceea ce tocmai ați trimis nu a fost salvat, iar butonul Înapoi al browserului vă readuce acolo.',
  expectedEnd: 'Sfârșit estimat',
  timeLeft: 'Timp rămas',
  anyMoment: 'în orice moment',
  returnsByItself: 'Această pagină revine singură când mentenanța se încheie.',
  tryAgain: 'Încercați din nou',
  continueReading: 'Continuați să citiți',
  support: 'Contactați asistența',
  status: 'Starea serviciului',
  endChanged: 'Sfârșitul estimat s-a schimbat.',
  opening: 'Se deschide pagina.',
  acceptedAgain: 'Modificările ar trebui să fie acceptate din nou.',
  unavailable: 'Serviciu indisponibil',
};
