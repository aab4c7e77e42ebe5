//! The models of the X series that are known: what they are called and what they measure.
//!
//! A model that is not here is not driven: the meaning of its registers is then unknown.

/// A model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// XL330-M077.
    Xl330M077,
    /// XL330-M288.
    Xl330M288,
    /// XL430-W250.
    Xl430W250,
    /// XC430-W150.
    Xc430W150,
    /// XC430-W240.
    Xc430W240,
    /// XM430-W210.
    Xm430W210,
    /// XM430-W350.
    Xm430W350,
    /// XM540-W150.
    Xm540W150,
    /// XM540-W270.
    Xm540W270,
}

/// All that are known.
pub const MODELS: [Model; 9] = [
    Model::Xl330M077,
    Model::Xl330M288,
    Model::Xl430W250,
    Model::Xc430W150,
    Model::Xc430W240,
    Model::Xm430W210,
    Model::Xm430W350,
    Model::Xm540W150,
    Model::Xm540W270,
];

impl Model {
    /// The model with this number.
    #[must_use]
    pub fn of(number: i32) -> Option<Model> {
        MODELS.into_iter().find(|model| model.number() == number)
    }

    /// The model that is called so.
    #[must_use]
    pub fn named(name: &str) -> Option<Model> {
        MODELS.into_iter().find(|model| model.name() == name)
    }

    /// Its number, register 0.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Model::Xl330M077 => 1190,
            Model::Xl330M288 => 1200,
            Model::Xl430W250 => 1060,
            Model::Xc430W150 => 1070,
            Model::Xc430W240 => 1080,
            Model::Xm430W210 => 1030,
            Model::Xm430W350 => 1020,
            Model::Xm540W150 => 1130,
            Model::Xm540W270 => 1120,
        }
    }

    /// What its maker calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Model::Xl330M077 => "XL330-M077",
            Model::Xl330M288 => "XL330-M288",
            Model::Xl430W250 => "XL430-W250",
            Model::Xc430W150 => "XC430-W150",
            Model::Xc430W240 => "XC430-W240",
            Model::Xm430W210 => "XM430-W210",
            Model::Xm430W350 => "XM430-W350",
            Model::Xm540W150 => "XM540-W150",
            Model::Xm540W270 => "XM540-W270",
        }
    }

    /// What register 126 shows at the stall torque: 1000 where it is a load in 0.1 %, the stall
    /// current in its unit (1 mA or 2.69 mA) where it is a current.
    #[must_use]
    pub fn load_at_stall(self) -> i32 {
        match self {
            Model::Xl430W250 | Model::Xc430W150 | Model::Xc430W240 => 1000,
            // 1.47 A in mA.
            Model::Xl330M077 | Model::Xl330M288 => 1470,
            // 2.3 A and 4.4 A in 2.69 mA.
            Model::Xm430W210 | Model::Xm430W350 => 855,
            Model::Xm540W150 | Model::Xm540W270 => 1636,
        }
    }
}
