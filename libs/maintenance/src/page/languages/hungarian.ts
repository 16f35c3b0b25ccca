import type { PageTexts } from '../page-texts.js';

export const hungarian: PageTexts = {
  title: 'Karbantartás alatt',
  message: 'A szolgáltatás karbantartás alatt áll. Kérjük, próbálja újra később.',
  readOnlyTitle: 'Átmenetileg csak olvasható',
  readOnlyMessage:
    'A szolgáltatás a karbantartás alatt csak olvasható. Az olvasás működik, a módosításoknak várniuk kell.',
  readOnlyNote:
    'Tovább olvashat. Egyelőre csak a módosításokat utasítjuk el: amit az imént elküldött, nem lett elmentve. A böngésző Vissza gombjával visszatérhet hozzá.',
  expectedEnd: 'Várható befejezés',
  timeLeft: 'Hátralévő idő',
  anyMoment: 'bármelyik pillanatban',
  returnsByItself: 'Ez az oldal magától visszatér, amint a karbantartás véget ér.',
  tryAgain: 'Újrapróbálás',
  continueReading: 'Tovább az olvasáshoz',
  support: 'Ügyfélszolgálat',
  status: 'A szolgáltatás állapota',
  endChanged: 'A várható befejezés megváltozott.',
  opening: 'Az oldal megnyitása.',
  acceptedAgain: 'A módosításoknak most már újra működniük kell.',
  unavailable: 'A szolgáltatás nem érhető el',
};
